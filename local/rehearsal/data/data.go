// Package data fills databases of a local system before a change is rehearsed on them: by a program that makes rows, or from a dump
// that is made anonymous where nothing else reads it.
package data

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/database"
)

// user is the one that programs and dumps sign in as, with one database alone. It is gone at the end.
const user = "rehearsal"

// Filler fills databases of a server.
type Filler struct {
	// Repo is where programs run.
	Repo string
	// Server is the server's directory and port.
	Server database.Dumps
}

// Fill fills a database, and says what it got.
func (f Filler) Fill(ctx context.Context, d config.RehearsalData) (rehearsal.Data, error) {
	began := time.Now()
	out := rehearsal.Data{Database: d.Database}
	err := f.within(ctx, d, &out)
	out.Seconds = time.Since(began).Seconds()
	if err != nil {
		return out, fmt.Errorf("rehearsal.data of %s: %w", d.Database, err)
	}
	return out, nil
}

func (f Filler) within(ctx context.Context, d config.RehearsalData, out *rehearsal.Data) error {
	db, err := f.open()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := exists(ctx, db, d.Database); err != nil {
		return err
	}
	before, _, err := count(ctx, db, d.Database)
	if err != nil {
		return err
	}
	if len(d.Generate) > 0 {
		err = f.as(ctx, db, d.Database, func(l login) error { return f.program(ctx, l, d.Generate, nil) })
	} else {
		before, err = 0, f.dumped(ctx, db, d)
	}
	if err != nil {
		return err
	}
	rows, bytes, err := count(ctx, db, d.Database)
	out.Rows, out.Bytes = rows-before, bytes
	return err
}

// dumped brings a dump into the database by way of one that the applications do not know, in which it is made anonymous.
func (f Filler) dumped(ctx context.Context, db *sql.DB, d config.RehearsalData) (err error) {
	aside := user + "_" + d.Database
	drop := func() error {
		_, err := db.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+identifier(aside))
		return err
	}
	if err := drop(); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+identifier(aside)+" CHARACTER SET utf8mb4"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(), f.Server.Forget(aside)) }()
	err = f.as(ctx, db, aside, func(l login) error {
		if err := f.load(ctx, l, d.Dump); err != nil {
			return err
		}
		return f.anonymize(ctx, l, d.Anonymize)
	})
	if err != nil {
		return err
	}
	if err := f.Server.Dump(ctx, aside, aside); err != nil {
		return err
	}
	return f.Server.Load(ctx, d.Database, aside)
}

// as lets do sign in to a database, with a user of its own for that time: a dump or a program that names another database is
// refused by the server.
func (f Filler) as(ctx context.Context, db *sql.DB, name string, do func(login) error) (err error) {
	dir, err := os.MkdirTemp("", "data-")
	if err != nil {
		return err
	}
	drop := func() error {
		_, err := db.ExecContext(context.WithoutCancel(ctx), "DROP USER IF EXISTS '"+user+"'@'%'")
		return err
	}
	defer func() { err = errors.Join(err, drop(), os.RemoveAll(dir)) }()
	l := login{port: f.Server.Port, database: name, password: rand.Text(), dir: dir}
	if err := drop(); err != nil { // what a killed one left
		return err
	}
	for _, statement := range []string{
		"CREATE USER '" + user + "'@'%' IDENTIFIED BY '" + l.password + "' REQUIRE SSL",
		// Of a database's name _ and % are patterns.
		"GRANT ALL PRIVILEGES ON " + strings.NewReplacer("_", `\_`, "%", `\%`).Replace(identifier(name)) + ".* TO '" + user + "'@'%'",
		"GRANT SET USER ON *.* TO '" + user + "'@'%'", // views and triggers of a dump name who made them
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if err := database.WriteOptions(l.options(), l.port, user, l.password); err != nil {
		return err
	}
	return do(l)
}

// login is how a program signs in.
type login struct {
	port               int
	database, password string
	dir                string
}

// options is the file that clients of MySQL and MariaDB read in MYSQL_HOME.
func (l login) options() string { return filepath.Join(l.dir, "my.cnf") }

// environ is what programs get. Nothing of it is in an argument.
func (l login) environ() []string {
	address := url.URL{Scheme: "mysql", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)), User: url.UserPassword(user, l.password), Path: "/" + l.database}
	return append(os.Environ(), "DATABASE_URL="+address.String(), "MYSQL_HOME="+l.dir, "MYSQL_DATABASE="+l.database)
}

// open connects as the server's administrator. The certificate is not verified: it is the process next door, on loopback.
func (f Filler) open() (*sql.DB, error) {
	password, err := database.AdminPassword(f.Server.Dir)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd = "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(f.Server.Port)), database.AdminUser, password
	c.TLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // loopback, see above
	c.Timeout = 10 * time.Second
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// exists fails for a database that the server does not have, and names those that it has.
func exists(ctx context.Context, db *sql.DB, name string) error {
	all, err := column(ctx, db, `SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1`)
	if err != nil {
		return err
	}
	for _, have := range all {
		if have == name {
			return nil
		}
	}
	return fmt.Errorf("the base has no such database of MySQL; it has %s", strings.Join(all, ", "))
}

// count counts the rows of a database, and the bytes that its tables and indexes take.
func count(ctx context.Context, db *sql.DB, name string) (rows, bytes int64, err error) {
	tables, err := column(ctx, db, `SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = ?`, name)
	if err != nil {
		return 0, 0, err
	}
	for _, table := range tables {
		var n int64
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+identifier(name)+"."+identifier(table)).Scan(&n); err != nil {
			return 0, 0, err
		}
		rows += n
	}
	// What the server knows of sizes without looking is old.
	const sizes = `SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = ?`
	for _, table := range tables {
		if _, err := db.ExecContext(ctx, "ANALYZE TABLE "+identifier(name)+"."+identifier(table)); err != nil {
			return 0, 0, err
		}
	}
	err = db.QueryRowContext(ctx, sizes, name).Scan(&bytes)
	return rows, bytes, err
}

// column is the only column of a query.
func column(ctx context.Context, db *sql.DB, query string, args ...any) ([]string, error) {
	found, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var all []string
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, found.Err()
}

func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
