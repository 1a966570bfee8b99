package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/dashboard"
)

// dashboardFlags are the flags of `gitops dashboard`.
type dashboardFlags struct {
	listen, output       string
	every                time.Duration
	profiles, kubeconfig map[string]string
	applications         []string
	price                bool
}

func newDashboard() *cobra.Command {
	f := &dashboardFlags{}
	cmd := &cobra.Command{
		Use:   "dashboard [ENVIRONMENT]...",
		Short: "Show environments side by side, as a page on this machine.",
		Long: `Serve a page on this machine that shows environments side by side: the commit and
the stage of the pipeline where it is, the stacks, Flux, the applications with their
images and pods, the last executions, and what the stacks cost by list. Each
application has a page of its own, from the commit to pods and database. Nothing on
it changes anything, and no other machine reaches it.

Without names it shows all environments of cdk.json. Each is read as 'gitops status'
reads it, by a process of its own, while a browser shows the page: with the AWS
profile of --profile, else with the credentials at hand, and through the kubeconfig
of --kubeconfig, else as EKS. $KUBECONFIG counts where one environment is shown.
What cannot be read is said in its place.

--output json prints once what the page shows, and ends.

Exit codes: 0 success, 1 an error, 2 a wrong command line.`,
		Example: `  gitops dashboard
  gitops dashboard dev production --listen 8765 --profile production=prod-viewer
  gitops dashboard dev --output json --application orders`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if f.output != "" && f.output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for a page, got %q", f.output)}
			}
			if f.every < time.Second {
				return cli.UsageError{Err: fmt.Errorf("--every must be at least 1s, got %s", f.every)}
			}
			names, err := f.choose(names)
			if err != nil {
				return err
			}
			if f.output == "json" {
				return f.print(cmd, names)
			}
			return f.serve(cmd, names)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "`port`, or address of this machine's loopback; 0 takes a free port")
	flags.StringVarP(&f.output, "output", "o", "", "json, or a page when left out")
	flags.DurationVar(&f.every, "every", 10*time.Second, "pause between two looks at an environment")
	flags.StringToStringVar(&f.profiles, "profile", nil, "AWS `profile` of an environment: dev=NAME")
	flags.StringToStringVar(&f.kubeconfig, "kubeconfig", nil, "kubeconfig of an environment's cluster: dev=`FILE`")
	flags.StringArrayVar(&f.applications, "application", nil, "with --output json: also the pods and the stack of this `application`")
	flags.BoolVar(&f.price, "price", true, "with --output json: also the list price, which takes a call for each stack")
	return cmd
}

// choose returns the environments that are named, or all.
func (f *dashboardFlags) choose(names []string) ([]string, error) {
	_, found, err := loadEnvironments(names)
	if err != nil {
		return nil, err
	}
	chosen := make([]string, len(found))
	for i, env := range found {
		chosen[i] = env.Name
	}
	for flag, of := range map[string]map[string]string{"--profile": f.profiles, "--kubeconfig": f.kubeconfig} {
		for name := range of {
			if !slices.Contains(chosen, name) {
				return nil, cli.UsageError{Err: fmt.Errorf("%s must be of an environment that is shown, got %q; name one of %s", flag, name, strings.Join(chosen, ", "))}
			}
		}
	}
	return chosen, nil
}

// serve serves the page until it is interrupted.
func (f *dashboardFlags) serve(cmd *cobra.Command, names []string) error {
	ctx := cmd.Context()
	l, err := dashboard.Listen(ctx, f.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	server := dashboard.Server{First: 3 * time.Second}
	for _, name := range names {
		server.Watches = append(server.Watches, &dashboard.Watch{
			Name: name, Look: f.look(name, len(names) > 1),
			Pace: dashboard.Pace{Every: f.every, Idle: 15 * time.Second, Limit: time.Minute},
		})
	}
	fmt.Fprintf(cmd.OutOrStdout(), "http://%s/\n", l.Addr())
	fmt.Fprintf(cmd.ErrOrStderr(), "Open it in a browser. It shows %s, and ends with Ctrl+C.\n", strings.Join(names, ", "))
	return server.Serve(ctx, l)
}

// print reads once. One environment is read in this process, if that has its credentials.
func (f *dashboardFlags) print(cmd *cobra.Command, names []string) error {
	q := dashboard.Question{Applications: f.applications, Price: f.price}
	all := make([]*dashboard.Environment, len(names))
	errs := make([]error, len(names))
	if len(names) == 1 && len(f.profiles) == 0 {
		all[0], errs[0] = readEnvironment(cmd, names[0], f.kubeconfig[names[0]], q)
	} else {
		var reading sync.WaitGroup
		for i, name := range names {
			reading.Go(func() {
				if all[i], errs[i] = f.look(name, len(names) > 1)(cmd.Context(), q); errs[i] != nil {
					errs[i] = fmt.Errorf("%s: %w", name, errs[i])
				}
			})
		}
		reading.Wait()
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return cli.JSON(cmd.OutOrStdout(), all)
}

// look reads an environment by a process of this program: a plug-in's variables, the profile and the kubeconfig are of one
// environment each, and a process has one of each.
func (f *dashboardFlags) look(name string, many bool) dashboard.Look {
	return func(ctx context.Context, q dashboard.Question) (*dashboard.Environment, error) {
		self, err := executable()
		if err != nil {
			return nil, err
		}
		args := []string{"dashboard", name, "--output", "json", fmt.Sprintf("--price=%t", q.Price)}
		for _, a := range q.Applications {
			args = append(args, "--application", a)
		}
		if file := f.kubeconfig[name]; file != "" {
			args = append(args, "--kubeconfig", name+"="+file)
		}
		var out, said bytes.Buffer
		cmd := exec.CommandContext(ctx, self, args...)
		cmd.Env, cmd.Stdout, cmd.Stderr = f.variables(name, many), &out, &said
		// It ends what it has started; whoever does not is ended.
		cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, 5*time.Second
		if err := cmd.Run(); err != nil {
			if words := strings.TrimPrefix(strings.TrimSpace(said.String()), "gitops: "); words != "" {
				return nil, errors.New(words)
			}
			return nil, err
		}
		var all []*dashboard.Environment
		if err := json.Unmarshal(out.Bytes(), &all); err != nil {
			return nil, fmt.Errorf("%s must print JSON: %w", self, err)
		}
		if len(all) != 1 || all[0] == nil {
			return nil, fmt.Errorf("%s must print one environment, got %d", self, len(all))
		}
		return all[0], nil
	}
}

// executable is this program, but in tests.
var executable = os.Executable

// variables are those of a process that reads one environment: a kubeconfig or keys of another one must not stand in its place.
func (f *dashboardFlags) variables(name string, many bool) []string {
	profile := f.profiles[name]
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		key, _, _ := strings.Cut(e, "=")
		return many && key == "KUBECONFIG" ||
			profile != "" && slices.Contains([]string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}, key)
	})
	if profile != "" {
		env = append(env, "AWS_PROFILE="+profile)
	}
	return env
}
