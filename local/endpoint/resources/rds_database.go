package resources

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/go-sql-driver/mysql"
)

// databaseEndpoint is where clients reach an instance: the one database server.
// An engine of another protocol gets no port, because nothing answers there.
func (s *Services) databaseEndpoint(engine string) (string, int) {
	if engine != "mysql" && engine != "mariadb" {
		return s.Database.Host, 0
	}
	return s.Database.Host, s.Database.Port
}

// openDatabase connects as the server's administrator. The server's
// certificate is not verified: it is the process next door, on loopback.
func (s *Services) openDatabase() (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(s.Database.Host, strconv.Itoa(s.Database.Port))
	c.User, c.Passwd = s.Database.AdminUser, s.Database.AdminPassword
	c.AllowNativePasswords = true
	c.AllowFallbackToPlaintext = true
	c.TLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // loopback, see above
	c.InterpolateParams = true                    // CREATE USER takes no prepared parameters
	c.Timeout = 10 * time.Second
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("database server: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// identifier quotes a schema name.
func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// provisionDatabase creates what RDS creates with an instance: the initial
// database, and the master user with its password, here for connections by TLS
// only. It is also the way to change that password.
func (s *Services) provisionDatabase(ctx context.Context, p Properties) error {
	if _, port := s.databaseEndpoint(p.String("Engine")); port == 0 {
		return fmt.Errorf("engine %s is not supported: the local database server speaks MySQL", p.String("Engine"))
	}
	user, password := p.String("MasterUsername"), p.String("MasterUserPassword")
	if user == "" || password == "" {
		return fmt.Errorf("MasterUsername and MasterUserPassword are required by the local database server")
	}
	statements := []statement{
		{"CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ? REQUIRE SSL", []any{user, password}},
		{"ALTER USER ?@'%' IDENTIFIED BY ? REQUIRE SSL", []any{user, password}},
	}
	if name := p.String("DBName"); name != "" {
		statements = append(statements,
			statement{"CREATE DATABASE IF NOT EXISTS " + identifier(name) + " CHARACTER SET utf8mb4", nil},
			statement{"GRANT ALL PRIVILEGES ON " + identifier(name) + ".* TO ?@'%'", []any{user}})
	}
	return s.execute(ctx, statements)
}

// dropDatabase removes an instance's database and user, unless another
// instance (the replacement of this one, say) uses the same names.
func (s *Services) dropDatabase(ctx context.Context, p Properties) error {
	out, err := s.rds().DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return err
	}
	var statements []statement
	keepUser, keepDatabase := false, p.String("DBName") == ""
	for _, db := range out.DBInstances {
		keepUser = keepUser || aws.ToString(db.MasterUsername) == p.String("MasterUsername")
		keepDatabase = keepDatabase || aws.ToString(db.DBName) == p.String("DBName")
	}
	if !keepDatabase {
		statements = append(statements, statement{"DROP DATABASE IF EXISTS " + identifier(p.String("DBName")), nil})
	}
	if user := p.String("MasterUsername"); !keepUser && user != "" {
		statements = append(statements, statement{"DROP USER IF EXISTS ?@'%'", []any{user}})
	}
	return s.execute(ctx, statements)
}

type statement struct {
	text string
	args []any
}

// serverPatience is how long a statement waits for a server that does not
// answer: the supervisor starts a killed one again within seconds.
const serverPatience = 30 * time.Second

func (s *Services) execute(ctx context.Context, statements []statement) error {
	if len(statements) == 0 {
		return nil
	}
	db, err := s.openDatabase()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for deadline := time.Now().Add(s.patience()); ; {
		err := db.PingContext(ctx)
		if err == nil {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("database server %s:%d: %w", s.Database.Host, s.Database.Port, err)
		}
		time.Sleep(250 * time.Millisecond)
	}
	for _, st := range statements {
		if _, err := db.ExecContext(ctx, st.text, st.args...); err != nil {
			// The text, not the arguments: they hold the password.
			verb := strings.Join(strings.Fields(st.text)[:2], " ")
			return fmt.Errorf("database server %s:%d: %s: %w", s.Database.Host, s.Database.Port, verb, err)
		}
	}
	return nil
}

// patience is serverPatience, or none without an administrator: the server is
// not configured then, and waiting for it is pointless.
func (s *Services) patience() time.Duration {
	if s.Database.AdminUser == "" {
		return 0
	}
	return serverPatience
}
