package watch

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq" // database/sql finds it by its name

	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/system/layout"
)

const (
	// Statements that wait for a table: https://mariadb.com/kb/en/general-thread-states/. Those that wait for a row:
	// https://mariadb.com/kb/en/information-schema-innodb_trx-table/. In seconds.
	waitsOfMariaDB = `SELECT GREATEST(
		(SELECT COALESCE(MAX(TIME_MS), 0) / 1000 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for %lock'),
		(SELECT COALESCE(MAX(TIMESTAMPDIFF(MICROSECOND, trx_wait_started, NOW(6))), 0) / 1000000 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'))`
	// https://www.postgresql.org/docs/current/view-pg-locks.html
	waitsOfPostgreSQL = `SELECT COALESCE(EXTRACT(EPOCH FROM MAX(clock_timestamp() - waitstart)), 0) FROM pg_locks WHERE NOT granted`
)

// server is a database server, asked as its administrator.
type server struct {
	db    *sql.DB
	query string
}

// servers are those of a system that have been started. Their certificates are not verified: they are the processes next door, on
// loopback.
func servers(dir *layout.Dir, ports layout.Ports) ([]server, error) {
	var all []server
	password, err := database.AdminPassword(dir.Path("database"))
	if err == nil {
		c := mysql.NewConfig()
		c.Net, c.Addr, c.User, c.Passwd = "tcp", local(ports[layout.Database]), database.AdminUser, password
		c.TLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // loopback, see above
		c.Timeout, c.ReadTimeout = 5*time.Second, 5*time.Second
		connector, err := mysql.NewConnector(c)
		if err != nil {
			return nil, err
		}
		all = append(all, server{sql.OpenDB(connector), waitsOfMariaDB})
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	password, err = database.AdminPassword(dir.Path("postgres"))
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	address := url.URL{
		Scheme: "postgres", Host: local(ports[layout.Postgres]), Path: "/postgres", User: url.UserPassword(database.AdminUser, password),
		RawQuery: "sslmode=require&connect_timeout=5",
	}
	db, err := sql.Open("postgres", address.String())
	return append(all, server{db, waitsOfPostgreSQL}), err
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// longest is how many seconds a statement has been waiting for a lock by now, of all servers the most.
func longest(ctx context.Context, all []server) (float64, error) {
	most := 0.0
	for _, s := range all {
		var waits float64
		if err := s.db.QueryRowContext(ctx, s.query).Scan(&waits); err != nil {
			return most, err
		}
		most = max(most, waits)
	}
	return most, nil
}

// locks are the times at which a statement waited for a lock.
type locks struct {
	mu  sync.Mutex
	all []wait
}

type wait struct {
	at      time.Time
	seconds float64
}

// watchLocks asks all the time: a wait that is over leaves no trace.
func (w *Watch) watchLocks(ctx context.Context) {
	for pause(ctx, w.every) {
		seconds, err := w.waits(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.unseen("locks of databases", fmt.Errorf("for a while: %w", err))
			continue
		}
		if seconds > 0 {
			w.locks.mu.Lock()
			w.locks.all = append(w.locks.all, wait{time.Now(), seconds})
			w.locks.mu.Unlock()
		}
	}
}

// of fills in how long others waited while a migration ran; its times are of whole seconds.
func (l *locks) of(m *rehearsal.Migration, begun, ended time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	during := slices.DeleteFunc(slices.Clone(l.all), func(w wait) bool {
		return w.at.Before(begun) || w.at.After(ended.Add(time.Second))
	})
	for _, w := range during {
		m.LockedSeconds = max(m.LockedSeconds, rounded(w.seconds))
	}
}
