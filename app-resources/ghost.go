// Package appresources is what applications need from AWS: one file per application, made of the reusable parts beside
// it (database, bucket, image repository). Names are agreed, so manifests and policies know them without being told.
package appresources

import (
	"github.com/aws/constructs-go/constructs/v10"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/policy"
)

func init() {
	Register(Application{Name: ghost, Title: "Ghost", Make: func(scope constructs.Construct, env config.Environment, network Network) Made {
		g := NewGhost(scope, "Ghost", &GhostProps{Env: env, Network: network})
		return Made{
			Identities: []podidentity.Identity{{Namespace: GhostNamespace, ServiceAccount: GhostServiceAccount, RoleARN: g.RoleARN}},
			Images:     []string{g.Images},
			Rotations:  []Rotation{{Namespace: GhostNamespace, RoleARN: g.Database.User.RoleARN}},
		}
	}})
}

// Names of Ghost on the Kubernetes side.
const (
	GhostNamespace      = "ghost"
	GhostServiceAccount = "ghost"
	ghost               = "ghost"
	// Dockerbuild is the application whose image dockerbuild/ makes.
	Dockerbuild = ghost
)

// GhostProps says where Ghost runs. All its names are the environment's.
type GhostProps struct {
	Env     config.Environment
	Network Network
}

// Ghost is what Ghost needs from AWS: database, secret, content bucket, image repository, mail where ghost.mail.transport
// is ses, and the role of its pods.
type Ghost struct {
	constructs.Construct
	construct.Part
	// RoleARN is the role that the pods assume; its name is agreed, so this is plain text.
	RoleARN string
	// Images is the name of its image repository.
	Images string
	// Database is Ghost's. Its pods sign in as Database.User.
	Database *Database
}

// NewGhost makes all of it. It knows no cluster: it is there before the first pod asks for it, and outlives the cluster when
// that is replaced.
func NewGhost(scope constructs.Construct, id string, props *GhostProps) *Ghost {
	env := props.Env
	g := &Ghost{Images: env.RepositoryName(ghost), RoleARN: env.ARN("iam", "role/"+env.RoleName(ghost))}
	construct.Init(g, scope, id)
	g.Database = NewDatabase(g, "MySQL", &DatabaseProps{Env: env, Network: props.Network, Engine: MySQL, App: ghost, Size: env.Ghost.Database, Snapshot: env.Ghost.Snapshot})
	content := NewBucket(g, "Content", &BucketProps{Env: env, App: ghost, Thing: "content"})
	NewImageRepository(g, "Images", &ImageRepositoryProps{Env: env, App: ghost, KeepImages: env.Ghost.KeepImages})
	rights := map[string]policy.Document{"content": ObjectRights(*content.BucketArn())}
	if env.Ghost.Mail.Transport == config.MailSES {
		rights["mail"] = NewMail(g, "Mail", &MailProps{Env: env, Zone: props.Network.Zone, From: env.Ghost.Mail.From}).Rights
	}
	podidentity.NewRole(g, "Role", &podidentity.RoleProps{
		Env: env, Namespace: GhostNamespace, ServiceAccount: GhostServiceAccount,
		Name: env.RoleName(ghost), Description: "Ghost's pods in cluster " + env.ClusterName(), Policies: rights,
	})
	return g
}
