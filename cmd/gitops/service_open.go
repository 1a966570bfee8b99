package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/plugin"
)

func newServiceOpen(f *serviceFlags) *cobra.Command {
	var onlyPrint bool
	cmd := &cobra.Command{
		Use:   "open NAME",
		Short: "Print a service's public URL and open it in the browser.",
		Long: `Print a service's public URL, and open it where there is a browser. A service
without a host is not public: then the command says how to reach it from this
machine. --env is dev when left out, or the only environment.`,
		Example: `  gitops service open orders
  gitops service open orders --env production --print`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			_, loaded, err := f.load()
			if err != nil {
				return err
			}
			s, c, err := f.place(loaded, names[0])
			if err != nil {
				return err
			}
			host := s.Resolve(c).Host
			if host == "" {
				return fmt.Errorf("%s has no host in %s, so it is not public; reach it at http://127.0.0.1:8080 with: kubectl -n %s port-forward svc/%s 8080:80", s.Name, c.Environment, s.Name, s.Name)
			}
			port, err := f.publicPort(cmd)
			if err != nil {
				return err
			}
			url := "https://" + host + "." + c.Domain + port
			fmt.Fprintln(cmd.OutOrStdout(), url)
			if onlyPrint {
				return nil
			}
			return browse(cmd.Context(), url)
		},
	}
	cmd.Flags().BoolVar(&onlyPrint, "print", false, "print the URL and open nothing")
	return cmd
}

// publicPort is the port behind hosts, with a colon, where the environment is not in AWS; else it is HTTPS's own.
func (f *serviceFlags) publicPort(cmd *cobra.Command) (string, error) {
	if _, elsewhere := plugin.Find(f.environment); !elsewhere {
		return "", nil
	}
	cluster, err := f.observe(cmd, "", toRead)
	if err != nil {
		return "", err
	}
	facts, err := cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).
		Namespace(flux.Root).Get(cmd.Context(), config.LocalFactsName, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("the port of %s: %w", f.environment, err)
	}
	port, _, err := unstructured.NestedString(facts.Object, "data", "PUBLIC_PORT")
	return port, err
}

// browse opens a URL, where there is a display.
func browse(ctx context.Context, url string) error {
	program := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		program = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return nil
	}
	if _, err := exec.LookPath(program); err != nil {
		return nil //nolint:nilerr // the URL is printed
	}
	if out, err := exec.CommandContext(ctx, program, url).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}
