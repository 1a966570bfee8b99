package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"k8s.io/client-go/dynamic"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/restore"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/tunnel"
)

// looks reach databases to count what is in them. A way that was opened serves again.
type looks struct {
	flags *restoreFlags
	aws   aws.Config
	name  string
	log   io.Writer
	ways  map[string]*tunnel.Tunnel
}

// in is AWS in an environment's region.
func (l *looks) in(env config.Environment) aws.Config {
	c := l.aws
	c.Region = env.Region
	return c
}

// count counts the rows of a database that the pods of an environment reach.
func (l *looks) count(ctx context.Context, env config.Environment, login restore.Login) ([]restore.Table, error) {
	authorities, err := l.authorities(ctx, env, login.Host)
	if err != nil {
		return nil, err
	}
	reach := restore.Reach{Authorities: authorities}
	if !l.flags.direct && !onLoopback(login.Host) {
		way, err := l.way(ctx, env, login)
		if err != nil {
			return nil, err
		}
		reach.Through = way.Port
	}
	return restore.Count(ctx, login, reach)
}

// way leads from this machine to a database, through a pod in the application's namespace.
func (l *looks) way(ctx context.Context, env config.Environment, login restore.Login) (*tunnel.Tunnel, error) {
	if way := l.ways[login.Host]; way != nil {
		return way, nil
	}
	access, err := clusterAccess(ctx, l.flags.kubeconfig, l.in(env), env, toChange)
	if err != nil {
		return nil, err
	}
	way, err := tunnel.Open(ctx, access, tunnel.Options{Namespace: l.name, Host: login.Host, Port: login.Port, Life: l.flags.timeout, Log: l.log})
	if err != nil {
		return nil, err
	}
	if l.ways == nil {
		l.ways = map[string]*tunnel.Tunnel{}
	}
	l.ways[login.Host] = way
	return way, nil
}

func (l *looks) close() error {
	var failed []error
	for _, way := range l.ways {
		failed = append(failed, way.Close())
	}
	return errors.Join(failed...)
}

// now counts what is in the database that runs, as its pods' user.
func (l *looks) now(ctx context.Context, env config.Environment) ([]restore.Table, error) {
	name := env.SecretName(l.name, services.UserThing)
	held, err := secretsmanager.NewFromConfig(l.in(env)).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// The port is a number or a text, by who wrote it.
	var values map[string]any
	if err := json.Unmarshal([]byte(aws.ToString(held.SecretString)), &values); err != nil {
		return nil, fmt.Errorf("%s must be a JSON object", name) // without its text
	}
	text := func(key string) string {
		if values[key] == nil {
			return ""
		}
		return fmt.Sprint(values[key])
	}
	port, err := strconv.Atoi(text("port"))
	if err != nil {
		return nil, fmt.Errorf("%s: port must be a number", name)
	}
	return l.count(ctx, env, restore.Login{
		Engine: text("engine"), Host: text("host"), Port: port, Database: text("dbname"), User: text("username"), Password: text("password"),
	})
}

// authorities are those by which a database's server is known: those of RDS in the region, those that the environment's facts name,
// or for one on this machine those that its cluster was told.
func (l *looks) authorities(ctx context.Context, env config.Environment, host string) ([]byte, error) {
	if onLoopback(host) {
		access, err := clusterAccess(ctx, l.flags.kubeconfig, l.in(env), env, toRead)
		if err != nil {
			return nil, err
		}
		kube, err := dynamic.NewForConfig(access)
		if err != nil {
			return nil, err
		}
		return certificates(ctx, kube, flux.Root, config.LocalFactsName, config.DatabaseCAFact, "data")
	}
	bundle, err := base64.StdEncoding.DecodeString(env.DatabaseCA())
	if err != nil || len(bundle) == 0 {
		return nil, fmt.Errorf("the authorities of RDS in %s are not known: set %s in the environment's facts (docs/guides/your-application.md)", env.Region, config.DatabaseCAFact)
	}
	return bundle, nil
}
