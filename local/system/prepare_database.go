package system

import (
	"context"
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
		if u.parts.postgres, err = u.preparePostgres(ctx, u.ports, out); err != nil {
			return err
		}
	}
	u.parts.caches, err = u.madeCaches(ctx, out)
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
	prepare := func() (supervise.Process, error) {
		c, err := s.preparePostgres(ctx, p, out)
		if err != nil {
			return supervise.Process{}, err
		}
		return s.postgres(p, c), nil
	}
	if err := s.supervised(ctx, postgresProcess, prepare); err != nil {
		return "", err
	}
	return database.AdminPassword(s.postgresDir())
}

// supervised makes sure that a process runs that is not in the plan from the beginning. prepare is asked for one that is not
// there yet.
func (s *System) supervised(ctx context.Context, name string, prepare func() (supervise.Process, error)) error {
	run := s.Dir.Path("run")
	plan, err := supervise.LoadPlan(run)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(plan.Processes, func(x supervise.Process) bool { return x.Name == name }) {
		if !supervise.Running(run) {
			return fmt.Errorf("%s is not started: the system stops", name)
		}
		process, err := prepare()
		if err != nil {
			return err
		}
		process.Env = append(process.Env, "TMPDIR="+s.Dir.Temp())
		plan.Processes = append(plan.Processes, process)
		if err := supervise.SavePlan(run, plan); err != nil {
			return err
		}
		if err := supervise.Start(ctx, run); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, processStart)
	defer cancel()
	if err := supervise.WaitReady(ctx, run, name); err != nil {
		return fmt.Errorf("%w: see %s", err, s.Dir.Log(name))
	}
	return nil
}

// unsupervised ends a process for good.
func (s *System) unsupervised(ctx context.Context, name string) error {
	run := s.Dir.Path("run")
	plan, err := supervise.LoadPlan(run)
	if err != nil {
		return err
	}
	plan.Processes = slices.DeleteFunc(plan.Processes, func(x supervise.Process) bool { return x.Name == name })
	if err := supervise.SavePlan(run, plan); err != nil || !supervise.Running(run) {
		return err
	}
	return supervise.Start(ctx, run)
}
