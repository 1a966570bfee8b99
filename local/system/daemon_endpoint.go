package system

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/endpoint"
	"k8s-plus-aws-gitops/local/endpoint/resources"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

func runEndpoint(ctx context.Context, s *System, p layout.Ports, log *slog.Logger) error {
	found, err := s.loadSettings()
	if err != nil {
		return err
	}
	authority, err := s.awaitAuthority(ctx)
	if err != nil {
		return err
	}
	password, err := database.AdminPassword(s.Dir.Path("database"))
	if err != nil {
		return fmt.Errorf("%w: run `gitops local up`", err)
	}
	dumps := database.Dumps{Dir: s.Dir.Path("database"), Port: p[layout.Database]}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var starting sync.Mutex // stacks are deployed side by side
	return endpoint.Run(ctx, endpoint.Config{
		Listen:  p.Addr(layout.AWS),
		Moto:    p.URL(layout.Moto),
		Account: deploy.Account,
		Region:  deploy.Region,
		Dir:     s.Dir.Path("cloud"),
		Mail:    s.Dir.Mail(),
		Database: resources.Database{
			Host: "127.0.0.1", Port: p[layout.Database], AdminUser: database.AdminUser, AdminPassword: password,
			Dump: dumps.Dump, Load: dumps.Load, Forget: dumps.Forget,
		},
		Postgres: resources.Database{
			Host: "127.0.0.1", Port: p[layout.Postgres], AdminUser: database.AdminUser, Start: func(ctx context.Context) (string, error) {
				starting.Lock()
				defer starting.Unlock()
				return s.startPostgres(ctx, p, os.Stderr)
			},
		},
		Caches:          &caches{system: s, ports: p, out: os.Stderr, starting: &starting},
		Kubeconfig:      s.Dir.Kubeconfig(),
		ClusterEndpoint: "https://" + p.Addr(layout.APIServer),
		ClusterCA:       authority,
		FluxOperator:    found.FluxOperator,
		Functions:       endpoint.Functions{Program: []string{program, "function"}, Env: []string{"DATABASE_CA=" + s.Dir.Path("ca", "ca.crt")}},
		Pipelines:       pipelines.Folder(s.Dir),
		Faults:          s.Dir.Faults(),
		Log:             log,
	})
}
