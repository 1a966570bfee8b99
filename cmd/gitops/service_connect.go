package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/client"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/tunnel"
)

// connection are the options of one session.
type connection struct {
	kubeconfig   string
	cache, print bool
	life         time.Duration
}

func newServiceConnect(f *serviceFlags) *cobra.Command {
	var o connection
	cmd := &cobra.Command{
		Use:   "connect NAME [-- STATEMENT…]",
		Short: "Open a client session to a service's database or cache.",
		Long: `Open a session of mysql, psql or valkey-cli to a service's database, or to its
cache. A statement after -- is run instead, and so is what comes on stdin. The
exit code is the client's.

Where this machine does not reach the server, a pod in the service's namespace
leads there, through the API server: no port is open to anybody else. The pod is
removed at the end, and by itself after --life should this command be killed.

User and password are those of the service, read from its Secret at the moment.
They are on no command line. This needs the right to read Secrets, to make Jobs
and to forward ports in the namespace: that of the cluster's admins.`,
		Example: `  gitops service connect orders
  gitops service connect orders --env production -- "SELECT count(*) FROM orders"
  gitops service connect orders --cache -- INFO memory
  gitops service connect orders --env dev < report.sql`,
		Args: cli.Args(func(cmd *cobra.Command, words []string) error {
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				words = words[:dash]
			}
			return cobra.ExactArgs(1)(cmd, words)
		}),
		RunE: func(cmd *cobra.Command, words []string) error {
			return o.run(cmd, f, words[0], words[1:])
		},
	}
	cmd.Flags().BoolVar(&o.cache, "cache", false, "the cache, where the service has a database, too")
	cmd.Flags().BoolVar(&o.print, "print", false, "print the client's command, and keep the way open until interrupted, for another client")
	cmd.Flags().DurationVar(&o.life, "life", time.Hour, "how long the pod lives at most")
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	return cmd
}

func (o *connection) run(cmd *cobra.Command, f *serviceFlags, name string, words []string) error {
	if o.life < time.Minute || o.life > 24*time.Hour {
		return cli.UsageError{Err: fmt.Errorf("--life must be from 1m to 24h, got %s", o.life)}
	}
	_, loaded, err := f.load()
	if err != nil {
		return err
	}
	s, c, err := f.place(loaded, name)
	if err != nil {
		return err
	}
	of, kind, err := o.choose(s.Resolve(c), s.File, c.Environment)
	if err != nil {
		return err
	}
	program, err := client.Find(kind) // before anything is made
	if err != nil {
		return err
	}
	access, err := f.access(cmd, o.kubeconfig, toChange)
	if err != nil {
		return err
	}
	target, err := targetOf(cmd.Context(), access, s.Name, c.Environment, kind, of)
	if err != nil {
		return err
	}
	if !onLoopback(target.Host) {
		way, err := tunnel.Open(cmd.Context(), access, tunnel.Options{Namespace: s.Name, Host: target.Host, Port: target.Port, Life: o.life, Log: cmd.ErrOrStderr()})
		if err != nil {
			return err
		}
		target.Through = way.Port
		return ending(o.session(cmd, program, target, s.Name, of, words), way.Close())
	}
	return o.session(cmd, program, target, s.Name, of, words)
}

// choose is the connection that is asked for, and the kind of its server.
func (o *connection) choose(s services.Spec, file, environment string) (services.Connection, string, error) {
	for _, of := range s.Connections() {
		isCache := of.Name == services.CacheThing
		switch {
		case isCache && (o.cache || s.AWS.Database == nil):
			return of, client.Cache, nil
		case !isCache && !o.cache:
			return of, map[string]string{services.MySQL: client.MySQL, services.Postgres: client.Postgres}[s.AWS.Database.Engine], nil
		}
	}
	what := "database and no cache"
	if o.cache {
		what = "cache"
	}
	return services.Connection{}, "", fmt.Errorf("%s: %s has no %s in %s; it gets one under aws", file, s.Name, what, environment)
}

// session runs the client, or says how to.
func (o *connection) session(cmd *cobra.Command, program string, t client.Target, service string, of services.Connection, words []string) error {
	s, err := client.New(program, t, words, !o.print && piped(cmd.InOrStdin()))
	if err != nil {
		return err
	}
	if o.print {
		fmt.Fprintln(cmd.OutOrStdout(), s.Shown(fmt.Sprintf("kubectl -n %s get secret %s -o go-template='{{.data.%s_PASSWORD | base64decode}}'", service, of.SecretName(service), prefix(of))))
		fmt.Fprintln(cmd.ErrOrStderr(), "it works until this command is interrupted")
		<-cmd.Context().Done()
		return s.Close()
	}
	err = runClient(s, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	var exit *exec.ExitError
	if errors.As(err, &exit) { // it has said why
		err = cli.ExitError{Code: exit.ExitCode()}
		if exit.ExitCode() < 0 {
			err = fmt.Errorf("%s: %w", program, exit)
		}
	}
	return ending(err, s.Close())
}

// ending keeps the client's exit code, and says what failed when its things were removed.
func ending(err, removal error) error {
	var exit cli.ExitError
	if !errors.As(err, &exit) {
		return errors.Join(err, removal)
	}
	exit.Err = errors.Join(exit.Err, removal)
	return exit
}

// runClient runs it as a shell would: an interrupt is the client's, which ends a statement by it and not itself.
func runClient(s *client.Session, in io.Reader, out, errs io.Writer) error {
	c := exec.Command(s.Args[0], s.Args[1:]...) //nolint:gosec // the client that was found
	c.Env = append(os.Environ(), s.Env...)
	c.Stdin, c.Stdout, c.Stderr = in, out, errs
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(ended)
	if err := c.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-ended:
				if s != os.Interrupt { // the terminal has sent it to both
					_ = c.Process.Signal(s)
				}
			case <-done:
				return
			}
		}
	}()
	return c.Wait()
}
