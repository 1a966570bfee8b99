package restore

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
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"
)

// connecting bounds how long a server may take to answer.
const connecting = 10 * time.Second

// SignInError is that of a server that lets nobody in, or does not answer.
type SignInError struct{ Err error }

func (e *SignInError) Error() string { return "sign in: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SignInError) Unwrap() error { return e.Err }

// Reach says how a database is reached.
type Reach struct {
	// Authorities are those that its server proves itself by, in PEM.
	Authorities []byte
	// Through is a port of 127.0.0.1 that leads there; 0: it is reached by its own address.
	Through int
}

// Count counts the rows of each table of a database, in one transaction that only reads. The server must prove that it is the
// login's host, also through a tunnel.
func Count(ctx context.Context, login Login, reach Reach) ([]Table, error) {
	e, known := engines[login.Engine]
	if !known {
		return nil, fmt.Errorf("engine must be mysql or postgres, got %q", login.Engine)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(reach.Authorities) {
		return nil, errors.New("there are no certificates to know the server by")
	}
	host, port := login.Host, login.Port
	if reach.Through != 0 {
		host, port = "127.0.0.1", reach.Through
	}
	connector, err := e.connector(login, host, port, &tls.Config{RootCAs: pool, ServerName: login.Host, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	if err := db.PingContext(ctx); err != nil {
		return nil, &SignInError{err}
	}
	// What is counted is of one moment.
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	return countIn(ctx, tx, e)
}

func countIn(ctx context.Context, tx *sql.Tx, e engine) ([]Table, error) {
	listed, err := tx.QueryContext(ctx, e.tables)
	if err != nil {
		return nil, err
	}
	defer func() { _ = listed.Close() }()
	var names [][2]string
	for listed.Next() {
		var schema, name string
		if err := listed.Scan(&schema, &name); err != nil {
			return nil, err
		}
		names = append(names, [2]string{schema, name})
	}
	if err := listed.Err(); err != nil {
		return nil, err
	}
	tables := []Table{}
	for _, n := range names {
		t := Table{Name: n[1]}
		if n[0] != e.plain && e.plain != "" {
			t.Name = n[0] + "." + n[1]
		}
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+e.quote(n[0])+"."+e.quote(n[1])).Scan(&t.Rows); err != nil {
			return nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// engine is what differs between the servers.
type engine struct {
	connector func(login Login, host string, port int, trust *tls.Config) (driver.Connector, error)
	// tables lists schema and name of those that hold rows.
	tables string
	// plain is the schema whose tables go by their names alone; empty: all do.
	plain string
	quote func(string) string
}

var engines = map[string]engine{
	"mysql": {
		connector: mysqlConnector,
		tables:    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
		quote:     func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" },
	},
	"postgres": {
		connector: postgresConnector,
		// The administrator of an instance may read what is a service's; what is RDS' own is not counted.
		tables: "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
		plain:  "public",
		quote:  pq.QuoteIdentifier,
	},
}

func mysqlConnector(login Login, host string, port int, trust *tls.Config) (driver.Connector, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(host, strconv.Itoa(port))
	c.User, c.Passwd, c.DBName, c.TLS, c.Timeout = login.User, login.Password, login.Database, trust, connecting
	return mysql.NewConnector(c)
}

func postgresConnector(login Login, host string, port int, trust *tls.Config) (driver.Connector, error) {
	const name = "restore"
	if err := pq.RegisterTLSConfig(name, trust); err != nil {
		return nil, err
	}
	return pq.NewConnectorConfig(pq.Config{
		Host: host, Port: uint16(port), User: login.User, Password: login.Password, Database: login.Database, //nolint:gosec // a port
		SSLMode: "pqgo-" + name, ConnectTimeout: connecting,
	})
}
