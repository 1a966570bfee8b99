package rotation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
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
	users func(database, administrator, user, password string) ([]statement, error)
}

var engines = map[string]engine{
	"mysql":    {mysqlConnector, mysqlUsers},
	"postgres": {postgresConnector, postgresUsers},
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

// allow makes a user, signed in as the administrator. The statements may be repeated.
func (r *Rotator) allow(ctx context.Context, as credentials, user, password string) error {
	db, e, err := r.open(ctx, as)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	statements, err := e.users(as.text("dbname"), as.text("username"), user, password)
	if err != nil {
		return err
	}
	for i, s := range statements {
		if err := s.run(ctx, db); err != nil {
			return fmt.Errorf("user %s, statement %d: %w", user, i+1, err) // without its text, which may hold the password
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
func mysqlUsers(database, _, user, password string) ([]statement, error) {
	return []statement{
		{text: "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ? REQUIRE SSL", args: []any{user, password}},
		{text: "ALTER USER ?@'%' IDENTIFIED BY ? REQUIRE SSL", args: []any{user, password}},
		{text: "GRANT ALL PRIVILEGES ON `" + database + "`.* TO ?@'%'", args: []any{user}},
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
func postgresUsers(database, administrator, user, password string) ([]statement, error) {
	stored, err := verifier(password)
	if err != nil {
		return nil, err
	}
	owner, name, admin := database+"_owner", pq.QuoteIdentifier(user), pq.QuoteIdentifier(administrator)
	role, db := pq.QuoteIdentifier(owner), pq.QuoteIdentifier(database)
	exists := func(role string) string { return "SELECT 1 FROM pg_roles WHERE rolname = " + pq.QuoteLiteral(role) }
	return []statement{
		{text: "CREATE ROLE " + role + " NOLOGIN", unless: exists(owner)},
		{text: "GRANT " + role + " TO " + admin},
		{text: "ALTER DATABASE " + db + " OWNER TO " + role},
		{text: "REASSIGN OWNED BY " + admin + " TO " + role},
		{text: "REVOKE ALL ON DATABASE " + db + " FROM PUBLIC"},
		{text: "CREATE ROLE " + name + " LOGIN", unless: exists(user)},
		{text: "ALTER ROLE " + name + " LOGIN PASSWORD " + pq.QuoteLiteral(stored)},
		{text: "GRANT " + role + " TO " + name},
		{text: "ALTER ROLE " + name + " IN DATABASE " + db + " SET role TO " + role},
	}, nil
}
