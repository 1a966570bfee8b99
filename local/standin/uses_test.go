package standin

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/database/postgres"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/internal/spawn"
)

// variables are those of a pod whose database is on a server with the administrator's password and the authority's certificate.
func variables(engine, name, password, caFile string, port int) map[string]string {
	of := services.Engines[engine]
	address := url.URL{Scheme: of.Scheme, User: url.UserPassword(database.AdminUser, password), Host: "127.0.0.1:" + strconv.Itoa(port), Path: "/" + name}
	return map[string]string{
		"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": strconv.Itoa(port), "DATABASE_NAME": name, "DATABASE_USER": database.AdminUser, "DATABASE_PASSWORD": password,
		"DATABASE_CA": caFile, "DATABASE_URL": address.String() + strings.ReplaceAll(of.Query, services.DatabaseCAFile, caFile),
	}
}

// orders is the answer of the stand-in that has a database, without what it has beside it.
func orders(t *testing.T) Program {
	t.Helper()
	text, err := os.ReadFile("../platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "(row ")
	statements, _, ended := strings.Cut(rest, ")}}")
	if !found || !ended {
		t.Fatal("no stand-in of local/platform.yaml has a row")
	}
	return Program{Answers: map[string]string{"/": "{{row " + statements + "}}"}}
}

// The stand-in finds its row in a database of either engine by the variables of a pod, and in none whose server it cannot check.
func TestRow(t *testing.T) {
	root := t.TempDir()
	authority, err := ca.Ensure(filepath.Join(root, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := ca.Ensure(filepath.Join(root, "other"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("database", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	tls := database.TLS{Cert: cert, Key: key, Required: true}
	for engine, prepare := range map[string]func(dir string, port int) (*exec.Cmd, error){
		services.MySQL: func(dir string, port int) (*exec.Cmd, error) { return database.Prepare(t.Context(), dir, port, tls) },
		services.Postgres: func(dir string, port int) (*exec.Cmd, error) {
			bin, err := postgres.Install(t.Context(), os.Stderr)
			if err != nil {
				return nil, err
			}
			return postgres.Prepare(t.Context(), bin, dir, port, tls)
		},
	} {
		t.Run(engine, func(t *testing.T) {
			if err := database.Installed(); engine == services.MySQL && err != nil {
				t.Skip(err)
			}
			dir, port := filepath.Join(root, engine), freeport.Port(t)
			c, err := prepare(dir, port)
			if err != nil {
				t.Fatal(err)
			}
			if err := spawn.Start(c); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
			password, err := database.AdminPassword(dir)
			if err != nil {
				t.Fatal(err)
			}
			makeDatabase(t, engine, password, port)
			for range 2 { // what the first made is there the second time
				url := serve(t, orders(t), variables(engine, "orders", password, authority.CertFile(), port))
				if code, text := ask(t, url+"/"); code != 200 || strings.TrimSpace(text) != "a kettle" {
					t.Errorf("%d %s", code, text)
				}
			}
			url := serve(t, orders(t), variables(engine, "orders", password, other.CertFile(), port))
			if code, text := ask(t, url+"/"); code != 502 || !strings.Contains(text, "x509") {
				t.Errorf("a server of another authority: %d %s", code, text)
			}
		})
	}
}

func makeDatabase(t *testing.T, engine, password string, port int) {
	t.Helper()
	address := fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres?sslmode=require", database.AdminUser, password, port)
	if engine == services.MySQL {
		c := mysql.NewConfig()
		c.Net, c.Addr, c.User, c.Passwd, c.TLSConfig = "tcp", "127.0.0.1:"+strconv.Itoa(port), database.AdminUser, password, "skip-verify"
		address = c.FormatDSN()
	}
	db, err := sql.Open(engine, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		_, err := db.ExecContext(ctx, "CREATE DATABASE orders")
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
