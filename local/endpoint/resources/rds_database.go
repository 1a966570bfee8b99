package resources

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/go-sql-driver/mysql"
)

// databaseEndpoint is where clients reach an instance: the server of its
// engine. One of another protocol gets no port, because nothing answers there.
func (s *Services) databaseEndpoint(engine string) (string, int) {
	switch engine {
	case "mysql", "mariadb":
		return s.Database.Host, s.Database.Port
	case postgresEngine:
		return s.Postgres.Host, s.Postgres.Port
	}
	return s.Database.Host, 0
}

// server is the one behind the instances of an engine. It is started if it is
// one that runs only when it is asked for.
func (s *Services) server(ctx context.Context, engine string) (Database, error) {
	d := s.Database
	if engine == postgresEngine {
		d = s.Postgres
	}
	if _, port := s.databaseEndpoint(engine); port == 0 {
		return d, fmt.Errorf("engine %s is not supported: the local database servers speak MySQL and PostgreSQL", engine)
	}
	if d.Start == nil {
		return d, nil
	}
	var err error
	d.AdminPassword, err = d.Start(ctx)
	return d, err
}

// open connects as the server's administrator. The server's certificate is not
// verified: it is the process next door, on loopback.
func (d Database) open(engine string) (*sql.DB, error) {
	if engine == postgresEngine {
		return d.openPostgres()
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", d.address()
	c.User, c.Passwd = d.AdminUser, d.AdminPassword
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

func (d Database) address() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) }

// identifier quotes a schema name.
func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// provisionDatabase creates what RDS creates with an instance: the initial
// database, and the master user with its password, here for connections by TLS
// only, unless PostgreSQL's rds.force_ssl is off. It is also the way to change
// that password.
func (s *Services) provisionDatabase(ctx context.Context, p Properties) error {
	engine := p.String("Engine")
	server, err := s.server(ctx, engine)
	if err != nil {
		return err
	}
	user, password, name := p.String("MasterUsername"), p.String("MasterUserPassword"), p.String("DBName")
	if user == "" || password == "" {
		return fmt.Errorf("MasterUsername and MasterUserPassword are required by the local database server")
	}
	if engine == postgresEngine {
		forced, err := s.forcesTLS(ctx, p.String("DBParameterGroupName"))
		if err != nil {
			return err
		}
		return server.execute(ctx, engine, append(postgresStatements(user, password, name), postgresTLS(user, forced)))
	}
	statements := []statement{
		{text: "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ? REQUIRE SSL", args: []any{user, password}},
		{text: "ALTER USER ?@'%' IDENTIFIED BY ? REQUIRE SSL", args: []any{user, password}},
	}
	if name != "" {
		statements = append(statements,
			statement{text: "CREATE DATABASE IF NOT EXISTS " + identifier(name) + " CHARACTER SET utf8mb4"},
			statement{text: "GRANT ALL PRIVILEGES ON " + identifier(name) + ".* TO ?@'%' WITH GRANT OPTION", args: []any{user}})
	}
	// The administrator of an instance makes the other users. Here its instance is a database of the one server, and without one
	// of its own, those that it makes.
	right := "GRANT CREATE USER ON *.* TO ?@'%'"
	if name == "" {
		right = "GRANT ALL PRIVILEGES ON *.* TO ?@'%' WITH GRANT OPTION"
	}
	statements = append(statements, statement{text: right, args: []any{user}})
	return server.execute(ctx, engine, statements)
}

// dropDatabase removes an instance's database and user, unless another
// instance (the replacement of this one, say) uses the same names on the same
// server.
func (s *Services) dropDatabase(ctx context.Context, p Properties) error {
	out, err := s.rds().DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return err
	}
	engine, user, name := p.String("Engine"), p.String("MasterUsername"), p.String("DBName")
	keepUser, keepDatabase := user == "", name == ""
	for _, db := range out.DBInstances {
		if (aws.ToString(db.Engine) == postgresEngine) != (engine == postgresEngine) {
			continue
		}
		keepUser = keepUser || aws.ToString(db.MasterUsername) == user
		keepDatabase = keepDatabase || aws.ToString(db.DBName) == name
	}
	server, err := s.server(ctx, engine)
	if err != nil {
		return err
	}
	var statements []statement
	if !keepDatabase {
		users, err := server.usersOf(ctx, engine, name, user)
		if err != nil {
			return err
		}
		text := "DROP DATABASE IF EXISTS " + identifier(name)
		if engine == postgresEngine {
			text = dropPostgres(name)
		}
		statements = append(statements, statement{text: text})
		for _, u := range users {
			statements = append(statements, dropUser(engine, u)...)
		}
	}
	switch {
	case keepUser:
	case engine != postgresEngine, !keepDatabase, name == "": // what is in a database that stays is the user's
		statements = append(statements, dropUser(engine, user)...)
	}
	if len(statements) == 0 {
		return nil
	}
	return server.execute(ctx, engine, statements)
}

func dropUser(engine, user string) []statement {
	if engine == postgresEngine {
		return dropRole(user)
	}
	return []statement{{text: "DROP USER IF EXISTS ?@'%'", args: []any{user}}}
}

// usersOf are the users that an instance's administrator made: those with rights on its database, or the members of the role
// that owns it, and that role.
func (d Database) usersOf(ctx context.Context, engine, database, administrator string) ([]string, error) {
	db, err := d.open(engine)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	query := "SELECT User FROM mysql.db WHERE Db = ? AND User <> ?"
	if engine == postgresEngine {
		query = "SELECT r.rolname FROM pg_roles r, pg_database d WHERE d.datname = $1 AND r.rolname <> $2 AND NOT r.rolsuper AND pg_has_role(r.oid, d.datdba, 'MEMBER')"
	}
	rows, err := db.QueryContext(ctx, query, database, administrator)
	if err != nil {
		return nil, fmt.Errorf("database server %s: %w", d.address(), err)
	}
	defer func() { _ = rows.Close() }()
	var users []string
	for rows.Next() {
		var user string
		if err := rows.Scan(&user); err != nil {
			return nil, err
		}
		users = append(users, user)
	}
	return users, rows.Err()
}

// statement is left out when unless, if it is there, finds a row.
type statement struct {
	text   string
	args   []any
	unless string
}

// serverPatience is how long a statement waits for a server that does not
// answer: the supervisor starts a killed one again within seconds.
const serverPatience = 30 * time.Second

// provisioning keeps two stacks from making the same role at once.
var provisioning sync.Mutex

func (d Database) execute(ctx context.Context, engine string, statements []statement) error {
	provisioning.Lock()
	defer provisioning.Unlock()
	db, err := d.open(engine)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for deadline := time.Now().Add(d.patience()); ; {
		err := db.PingContext(ctx)
		if err == nil {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("database server %s: %w", d.address(), err)
		}
		time.Sleep(250 * time.Millisecond)
	}
	for _, st := range statements {
		if err := st.run(ctx, db); err != nil {
			// The text, not the arguments: they hold the password.
			verb := strings.Join(strings.Fields(st.text)[:2], " ")
			return fmt.Errorf("database server %s: %s: %w", d.address(), verb, err)
		}
	}
	return nil
}

func (st statement) run(ctx context.Context, db *sql.DB) error {
	if st.unless != "" {
		var found int
		if err := db.QueryRowContext(ctx, st.unless).Scan(&found); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	_, err := db.ExecContext(ctx, st.text, st.args...)
	return err
}

// patience is serverPatience, or none without an administrator: the server is
// not configured then, and waiting for it is pointless.
func (d Database) patience() time.Duration {
	if d.AdminUser == "" {
		return 0
	}
	return serverPatience
}
