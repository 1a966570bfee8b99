package rotation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"
)

// connecting bounds how long a server may take to answer.
const connecting = 10 * time.Second

// statement is left out when unless, if it is there, finds a row.
type statement struct {
	text   string
	args   []any
	unless string
}

// engine is what differs between the servers.
type engine struct {
	connector func(login credentials, trust *tls.Config) (driver.Connector, error)
	// users are the statements that give a user its password and its rights on one database, as the administrator.
	users func(owner) ([]statement, error)
	// maintenance is the database of a shared instance that the administrator signs in to; empty for none.
	maintenance string
	// shares are users, with those that make the database before. Locks and drops are what undoes them.
	shares func(owner) ([]statement, error)
	locks  func(user string) []statement
	drops  func(database, user string) []statement
}

// owner is whose database it is: the user with the password, and the administrator who makes it.
type owner struct{ database, administrator, user, password string }

var engines = map[string]engine{
	"mysql":    {mysqlConnector, mysqlUsers, "", mysqlShares, mysqlLocks, mysqlDrops},
	"postgres": {postgresConnector, postgresUsers, "postgres", postgresShares, postgresLocks, postgresDrops},
}

// open connects to the database of a login, over TLS, and only to a server that proves who it is.
func (r *Rotator) open(ctx context.Context, login credentials) (*sql.DB, engine, error) {
	e, ok := engines[login.text("engine")]
	if !ok {
		return nil, e, fmt.Errorf("engine must be mysql or postgres, got %q", login.text("engine"))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(r.Authorities) {
		return nil, e, errors.New("there are no certificates to know the server by")
	}
	connector, err := e.connector(login, &tls.Config{RootCAs: pool, ServerName: login.text("host"), MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, e, fmt.Errorf("%s: %w", login.text("engine"), err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		return nil, e, errors.Join(fmt.Errorf("sign in to %s as %s: %w", login.text("host"), login.text("username"), err), db.Close())
	}
	return db, e, nil
}

// signIn asks the database for one row.
func (r *Rotator) signIn(ctx context.Context, login credentials) error {
	db, _, err := r.open(ctx, login)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var one int
	return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// as runs an engine's statements, which may be repeated, signed in as the administrator.
func (r *Rotator) as(ctx context.Context, administrator credentials, of func(engine) ([]statement, error)) error {
	database := administrator.text("dbname")
	if r.Shared != "" { // where there is not always a database of that name
		administrator = maps.Clone(administrator)
		administrator["dbname"] = engines[administrator.text("engine")].maintenance
	}
	db, e, err := r.open(ctx, administrator)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	statements, err := of(e)
	if err != nil {
		return err
	}
	for i, s := range statements {
		if err := s.run(ctx, db); err != nil {
			return fmt.Errorf("database %s, statement %d: %w", database, i+1, err) // without its text, which may hold the password
		}
	}
	return nil
}

func (s statement) run(ctx context.Context, db *sql.DB) error {
	if s.unless != "" {
		var found int
		if err := db.QueryRowContext(ctx, s.unless).Scan(&found); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	_, err := db.ExecContext(ctx, s.text, s.args...)
	return err
}

func mysqlConnector(login credentials, trust *tls.Config) (driver.Connector, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(login.text("host"), login.text("port"))
	c.User, c.Passwd, c.DBName = login.text("username"), login.text("password"), login.text("dbname")
	c.TLS, c.Timeout = trust, connecting
	c.InterpolateParams = true // statements about users take no prepared parameters
	return mysql.NewConnector(c)
}

// mysqlUsers give a user all rights on its database, and none elsewhere. MySQL writes no password into its logs:
// https://dev.mysql.com/doc/refman/8.4/en/password-logging.html
func mysqlUsers(of owner) ([]statement, error) {
	return []statement{
		{text: "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ? REQUIRE SSL", args: []any{of.user, of.password}},
		{text: "ALTER USER ?@'%' IDENTIFIED BY ? REQUIRE SSL ACCOUNT UNLOCK", args: []any{of.user, of.password}},
		{text: "GRANT ALL PRIVILEGES ON `" + of.database + "`.* TO ?@'%'", args: []any{of.user}},
	}, nil
}

func postgresConnector(login credentials, trust *tls.Config) (driver.Connector, error) {
	port, err := strconv.ParseUint(login.text("port"), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port must be a number, got %q", login.text("port"))
	}
	const name = "rds"
	if err := pq.RegisterTLSConfig(name, trust); err != nil {
		return nil, err
	}
	return pq.NewConnectorConfig(pq.Config{
		Host: login.text("host"), Port: uint16(port), User: login.text("username"), Password: login.text("password"), Database: login.text("dbname"),
		SSLMode: "pqgo-" + name, ConnectTimeout: connecting,
	})
}

// postgresUsers let both users act as one role that owns the database and everything in it: what the one makes is the
// other's, too. What the administrator owned before there was such a role becomes its.
func postgresUsers(of owner) ([]statement, error) {
	role, db, admin := pq.QuoteIdentifier(of.role()), pq.QuoteIdentifier(of.database), pq.QuoteIdentifier(of.administrator)
	return postgresOwned(of, []statement{
		{text: "ALTER DATABASE " + db + " OWNER TO " + role},
		{text: "REASSIGN OWNED BY " + admin + " TO " + role},
	})
}

// role is the one that owns the database in PostgreSQL.
func (o owner) role() string { return o.database + "_owner" }

// roleExists finds a role.
func roleExists(role string) string {
	return "SELECT 1 FROM pg_roles WHERE rolname = " + pq.QuoteLiteral(role)
}

// postgresOwned are the statements of a database that get the owner's role by those given, which come when there is that role.
func postgresOwned(of owner, given []statement) ([]statement, error) {
	stored, err := verifier(of.password)
	if err != nil {
		return nil, err
	}
	name, role, db := pq.QuoteIdentifier(of.user), pq.QuoteIdentifier(of.role()), pq.QuoteIdentifier(of.database)
	return slices.Concat([]statement{
		{text: "CREATE ROLE " + role + " NOLOGIN", unless: roleExists(of.role())},
		{text: "GRANT " + role + " TO " + pq.QuoteIdentifier(of.administrator)},
	}, given, []statement{
		{text: "REVOKE ALL ON DATABASE " + db + " FROM PUBLIC"},
		{text: "CREATE ROLE " + name + " LOGIN", unless: roleExists(of.user)},
		{text: "ALTER ROLE " + name + " LOGIN PASSWORD " + pq.QuoteLiteral(stored)},
		{text: "GRANT " + role + " TO " + name},
		{text: "ALTER ROLE " + name + " IN DATABASE " + db + " SET role TO " + role},
	}), nil
}
