package system

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/lib/pq"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/database/postgres"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// TestMain lets the test binary stand for gitops-local, which the supervisor and the watchdog are.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "run" && os.Args[3] == "--state" {
		s, err := Open(os.Args[4], os.Args[4])
		if err == nil {
			err = s.Daemon(context.Background(), os.Args[2], slog.New(slog.NewTextHandler(os.Stderr, nil)))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A system has no PostgreSQL until an instance asks for it. Then it is supervised as all else, and the next up leaves it alone.
func TestPostgresStartsWhenItIsAskedFor(t *testing.T) {
	s := newSystem(t)
	ports, authority, run := planned(t, s)
	if _, err := s.startPostgres(t.Context(), ports, os.Stderr); err == nil || postgres.Made(s.postgresDir()) {
		t.Fatalf("a system that does not run: %v", err)
	}
	start(t, s, run)
	password, err := s.startPostgres(t.Context(), ports, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(database.AdminUser, password), Host: ports.Addr("postgres"), Path: "/postgres",
		RawQuery: "sslmode=verify-full&sslrootcert=" + authority.CertFile(),
	}
	db, err := sql.Open("postgres", address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	answers := func() {
		t.Helper()
		deadline := time.Now().Add(5 * time.Minute)
		for err := db.PingContext(t.Context()); err != nil; err = db.PingContext(t.Context()) {
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	answers()

	first := supervise.Read(run, postgresProcess)
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if r := supervise.Read(run, postgresProcess); r.Running && r.PID != first.PID {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("it was not started again: %+v", r)
		}
	}
	answers()
	if again, err := s.startPostgres(t.Context(), ports, os.Stderr); err != nil || again != password {
		t.Errorf("asked again: %v, another password %v", err, again != password)
	}

	running, err := supervise.LoadPlan(run)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := s.preparePostgres(t.Context(), ports, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.plan(ports, parts{controlPlane: "/c", moto: exec.Command("/bin/true"), database: exec.Command("/bin/true"), postgres: prepared})
	if err != nil {
		t.Fatal(err)
	}
	last := next.Processes[slices.IndexFunc(next.Processes, func(p supervise.Process) bool { return p.Name == postgresProcess })]
	if diff := cmp.Diff(running.Processes[0], last); diff != "" {
		t.Errorf("the next up would replace it (-running +next):\n%s", diff)
	}
}

// planned gives a system its ports, its authority and a plan without processes, in the folder that is returned.
func planned(t *testing.T, s *System) (layout.Ports, *ca.CA, string) {
	t.Helper()
	ports, err := s.Dir.ChoosePorts()
	if err != nil {
		t.Fatal(err)
	}
	authority, err := ca.Ensure(s.Dir.Path("ca"))
	if err != nil {
		t.Fatal(err)
	}
	run := s.Dir.Path("run")
	plan := &supervise.Plan{
		State: s.Dir.Root, Logs: s.Dir.Path("log"),
		Supervisor: s.daemonCommand(supervise.SupervisorName), Watchdog: s.daemonCommand(supervise.WatchdogName),
	}
	if err := supervise.SavePlan(run, plan); err != nil {
		t.Fatal(err)
	}
	return ports, authority, run
}

// start runs the plan until the test ends.
func start(t *testing.T, s *System, run string) {
	t.Helper()
	t.Cleanup(func() {
		if err := supervise.Stop(context.Background(), run, s.Dir.Root, time.Minute); err != nil {
			t.Error(err)
		}
	})
	if err := supervise.Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
}
