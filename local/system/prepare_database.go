package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/database/postgres"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/supervise"
)

func (u *up) prepareDatabase(ctx context.Context, out *progress.Output) (err error) {
	if err := database.Install(ctx, out); err != nil {
		return err
	}
	if u.parts.database, err = database.Prepare(ctx, u.Dir.Path("database"), u.ports[layout.Database], u.databaseTLS()); err != nil {
		return err
	}
	if postgres.Made(u.postgresDir()) {
		u.parts.postgres, err = u.preparePostgres(ctx, u.ports, out)
	}
	return err
}

// databaseTLS refuses connections without TLS, as RDS for MySQL 8.4 does by default.
func (s *System) databaseTLS() database.TLS {
	return database.TLS{CA: s.Dir.Path("ca", "ca.crt"), Cert: s.Dir.Path("ca", "tls.crt"), Key: s.Dir.Path("ca", "tls.key"), Required: true}
}

func (s *System) postgresDir() string { return s.Dir.Path("postgres") }

func (s *System) preparePostgres(ctx context.Context, p layout.Ports, out io.Writer) (*exec.Cmd, error) {
	bin, err := postgres.Install(ctx, out)
	if err != nil {
		return nil, err
	}
	return postgres.Prepare(ctx, bin, s.postgresDir(), p[layout.Postgres], s.databaseTLS())
}

func (s *System) postgres(p layout.Ports, c *exec.Cmd) supervise.Process {
	process := fromCmd(postgresProcess, c)
	process.Ready = "tcp://" + p.Addr(layout.Postgres)
	process.Grace = 10 * time.Second // it waits for its clients to leave, and recovers if they do not
	return process
}

// startPostgres makes sure that PostgreSQL runs, and returns its administrator's password. The first DB instance that asks for
// it adds it to the plan of the supervisor, so that a system without one has neither its programs nor its process.
func (s *System) startPostgres(ctx context.Context, p layout.Ports, out io.Writer) (string, error) {
	run := s.Dir.Path("run")
	plan, err := supervise.LoadPlan(run)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(plan.Processes, func(x supervise.Process) bool { return x.Name == postgresProcess }) {
		if !supervise.Running(run) {
			return "", errors.New("PostgreSQL is not started: the system stops")
		}
		c, err := s.preparePostgres(ctx, p, out)
		if err != nil {
			return "", err
		}
		process := s.postgres(p, c)
		process.Env = append(process.Env, "TMPDIR="+s.Dir.Temp())
		plan.Processes = append(plan.Processes, process)
		if err := supervise.SavePlan(run, plan); err != nil {
			return "", err
		}
		if err := supervise.Start(ctx, run); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, processStart)
	defer cancel()
	if err := supervise.WaitReady(ctx, run, postgresProcess); err != nil {
		return "", fmt.Errorf("%w: see %s", err, s.Dir.Log(postgresProcess))
	}
	return database.AdminPassword(s.postgresDir())
}
