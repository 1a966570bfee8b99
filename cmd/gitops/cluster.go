package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/eks"
	"k8s-plus-aws-gitops/internal/flux"
)

// purpose is what a command does in a cluster.
type purpose int

const (
	toRead purpose = iota
	toChange
)

// clusterAccess is by a kubeconfig, by $KUBECONFIG, or as EKS with the AWS credentials at hand. EKS has the cluster by the
// environment's name. A kubeconfig leads anywhere, so the cluster must say that it is the environment's.
func clusterAccess(ctx context.Context, kubeconfig string, c aws.Config, env config.Environment, to purpose) (*rest.Config, error) {
	path, source, without := kubeconfig, "--kubeconfig", "leave out --kubeconfig"
	if path == "" {
		path, source, without = os.Getenv("KUBECONFIG"), "KUBECONFIG", "unset KUBECONFIG"
	}
	if path == "" {
		return eks.Config(ctx, c, env.ClusterName())
	}
	access, err := flux.Config(path)
	if err != nil {
		return nil, err
	}
	kube, err := dynamic.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	facts, err := values(ctx, kube, "configmaps", flux.Root, config.ClusterFactsName, "data")
	name, account := facts["ENVIRONMENT"], facts["AWS_ACCOUNT_ID"]
	switch {
	case err != nil && unsaid(err, env, to):
		return access, nil
	case err != nil:
		return nil, fmt.Errorf("the cluster of %s does not say that it is of %s (ConfigMap %s, %w): %s, or name another user", source, env.Name, config.ClusterFactsName, err, without)
	case name != env.Name:
		return nil, fmt.Errorf("%s is of the cluster of %s: %s, or name environment %[2]s, not %[4]s", source, name, without, env.Name)
	case account != "" && account != env.Account:
		return nil, fmt.Errorf("%s is of a cluster in account %s, and %s is in %s: %s", source, account, env.Name, env.Account, without)
	}
	return access, nil
}

// unsaid reports whether a cluster may be taken that does not tell its environment: who reads may lack the right to this one
// object, or looks for what is missing; and the local environment's plug-in has chosen the cluster, before there is a bootstrap.
func unsaid(err error, env config.Environment, to purpose) bool {
	return env.Name == config.LocalEnvironment || to == toRead && (apierrors.IsForbidden(err) || apierrors.IsNotFound(err))
}

// clusterOf opens the environment's cluster.
func clusterOf(ctx context.Context, c aws.Config, env config.Environment, kubeconfig string) (*flux.Cluster, error) {
	access, err := clusterAccess(ctx, kubeconfig, c, env, toRead)
	if err != nil {
		return nil, err
	}
	return flux.New(access)
}
