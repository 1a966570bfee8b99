package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/endpoints"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/fleet"
)

// serviceFlags are shared by the service commands.
type serviceFlags struct {
	environment, remote, program string
}

func newService() *cobra.Command {
	f := &serviceFlags{}
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Run a fleet of services, each on a branch of its own.",
		Long: `Services are small files in k8s/services. Each becomes manifests on a
branch of the manifests repository, one for each environment, and Flux follows each
branch. docs/guides/services.md tells the whole way.`,
		Example: `  gitops service add npm --image ghcr.io/nodezoo/nodezoo-npm:1.4.2 --port 8080
  gitops service publish npm --env dev
  gitops service status --env dev --watch`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	flags.StringVarP(&f.environment, "env", "e", "", "environment of cdk.json")
	flags.StringVar(&f.remote, "remote", "", "address of the manifests repository (default: that of fleet.yaml)")
	flags.StringVar(&f.program, "app", "", "the cdk8s app (default: bin/services in the checkout)")
	cmd.AddCommand(newServiceAdd(f), newServiceInit(), newServiceList(f), newServiceShow(f), newServiceRender(f), newServicePublish(f), newServiceRemove(f), newServiceStatus(f), newServiceLogs(f), newServiceOpen(f), newServiceConnect(f))
	return cmd
}

// load reads the fleet of the checkout.
func (f *serviceFlags) load() (string, services.Fleet, error) {
	root, err := checkout.Root()
	if err != nil {
		return "", services.Fleet{}, err
	}
	loaded, err := services.Load(root)
	return root, loaded, err
}

// cluster is the environment that --env names.
func (f *serviceFlags) cluster(loaded services.Fleet) (services.Cluster, error) {
	c, known := loaded.Cluster(f.environment)
	if !known {
		return c, cli.UsageError{Err: fmt.Errorf("--env %q: name one of %s", f.environment, strings.Join(loaded.Names(), ", "))}
	}
	return c, nil
}

// url is the manifests repository, which git may reach by another address where the environment is not in AWS.
func (f *serviceFlags) url(ctx context.Context, loaded services.Fleet) (string, error) {
	if f.remote != "" {
		return f.remote, nil
	}
	return loaded.Config.For(f.environment).URL, endpoints.Use(ctx, f.environment)
}

// place finds a service in an environment: the one that --env names, the only one, or dev.
func (f *serviceFlags) place(loaded services.Fleet, name string) (services.Service, services.Cluster, error) {
	if f.environment == "" && len(loaded.Clusters) == 1 {
		f.environment = loaded.Clusters[0].Environment
	}
	f.environment = cmp.Or(f.environment, "dev")
	c, err := f.cluster(loaded)
	if err != nil {
		return services.Service{}, c, err
	}
	chosen, err := choose(loaded, f.environment, []string{name})
	if err != nil {
		return services.Service{}, c, err
	}
	return chosen[0], c, nil
}

// unknownService offers the nearest name.
func unknownService(loaded services.Fleet, name string) error {
	names := make([]string, len(loaded.Services))
	for i, s := range loaded.Services {
		names[i] = s.Name
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no service %q, and no other: add it with `gitops service add %s`", name, name)
	}
	return fmt.Errorf("there is no service %q: %s, or add it with `gitops service add %s`", name, config.Suggest(name, names), name)
}

// choose returns the services that are named, or all of the environment that are published from here.
func choose(loaded services.Fleet, environment string, names []string) ([]services.Service, error) {
	if len(names) == 0 {
		return loaded.Here(environment), nil
	}
	var chosen []services.Service
	for _, name := range names {
		s, known := loaded.Service(name)
		switch {
		case !known:
			return nil, unknownService(loaded, name)
		case !s.Enabled(environment):
			return nil, fmt.Errorf("%s: environments.%s.enabled is false; remove the line to have %s there", s.File, environment, name)
		case !slices.ContainsFunc(chosen, func(c services.Service) bool { return c.Name == name }):
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// render renders services by the cdk8s app.
func (f *serviceFlags) render(ctx context.Context, root string, c services.Cluster, chosen []services.Service) (map[string][]byte, error) {
	for _, s := range chosen {
		if s.Registered() {
			return nil, fmt.Errorf("%s: the service is in a repository of its own, %s: name a checkout of it with `gitops service publish %s --from …`", s.File, s.Repository, s.Name)
		}
	}
	program := f.program
	if program == "" {
		program = filepath.Join(root, "bin", "services")
	}
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("bin/services is not built: run `make bin/services`")
	}
	return services.App{Program: program, Dir: root}.Render(ctx, c, chosen)
}

// generate writes the fleet of every environment.
func generate(root string, loaded services.Fleet) ([]string, error) {
	files, err := fleet.Generate(loaded)
	if err != nil {
		return nil, err
	}
	return fleet.Write(root, files)
}

// current fails if the fleet in the checkout is not what the service files say.
func current(root string, loaded services.Fleet) error {
	files, err := fleet.Generate(loaded)
	if err != nil {
		return err
	}
	stale, err := fleet.Stale(root, files)
	if err != nil || len(stale) == 0 {
		return err
	}
	return outOfDate(stale)
}

// outOfDate names the one command that renews what is generated.
func outOfDate(stale []string) error {
	return fmt.Errorf("%s: out of date; run `make generate` and commit what it writes", fleet.Describe(stale))
}
