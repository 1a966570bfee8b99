package system

import (
	"context"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/system/layout"
)

func (u *up) prepareDatabase(ctx context.Context, out *progress.Output) (err error) {
	if err := database.Install(ctx, out); err != nil {
		return err
	}
	u.parts.database, err = database.Prepare(ctx, u.Dir.Path("database"), u.ports[layout.Database], database.TLS{
		CA: u.Dir.Path("ca", "ca.crt"), Cert: u.Dir.Path("ca", "tls.crt"), Key: u.Dir.Path("ca", "tls.key"),
		Required: true, // as RDS for MySQL 8.4 does by default
	})
	return err
}
