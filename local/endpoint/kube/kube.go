// Package kube applies the custom resources of CDK's kubectl provider to the
// real control plane. On AWS a Lambda function runs kubectl and helm for them
// (aws-cdk-lib, custom-resource-handlers/aws-eks-v2/kubectl-handler); here the
// same is done with client-go, with the same meaning of each property.
package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

func init() { register(connect) }

// register adds the three custom resource types; connectTo gives the cluster.
func register(connectTo connector) {
	h := handlers{connectTo}
	resources.Register(&resources.Type{
		Name: "Custom::AWSCDK-EKS-KubernetesResource", Create: h.createManifest, Update: h.updateManifest, Delete: h.deleteManifest,
	})
	resources.Register(&resources.Type{
		Name: "Custom::AWSCDK-EKS-KubernetesObjectValue", Create: h.readValue,
		Update: func(ctx context.Context, r *resources.Request, id string, _, updated resources.Properties) (resources.Result, error) {
			result, err := h.readValue(ctx, r, updated)
			result.ID = id
			return result, err
		},
		Delete: func(context.Context, *resources.Request, string, resources.Properties) error { return nil },
	})
	resources.Register(&resources.Type{
		Name: "Custom::AWSCDK-EKS-HelmChart", Create: h.installChart, Update: h.upgradeChart, Delete: h.uninstallChart,
	})
}

type connector func(r *resources.Request) (*cluster, error)

type handlers struct{ connect connector }

// cluster is a connection to one control plane.
type cluster struct {
	client dynamic.Interface
	mapper meta.ResettableRESTMapper
	// expand turns what kubectl calls a resource (svc, services, deployment,
	// fluxinstances.fluxcd.controlplane.io) into its full name.
	expand meta.RESTMapper
}

// connect opens a connection with the administrator's kubeconfig. Each
// operation opens its own: an operation is rare, and discovery is then fresh.
func connect(r *resources.Request) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", r.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	config.QPS, config.Burst = 200, 400 // the server is local; the default of 5 per second would be the bottleneck
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	cached := memory.NewMemCacheClient(found)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	return &cluster{client: client, mapper: mapper, expand: restmapper.NewShortcutExpander(mapper, cached, nil)}, nil
}

// resourceFor returns the API of one object. An unknown kind is looked up a
// second time with fresh discovery: its definition may just have been applied.
func (c *cluster) resourceFor(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name(o), err)
	}
	return c.in(mapping, o.GetNamespace()), nil
}

// in returns the API of a resource in a namespace; "" is kubectl's default.
func (c *cluster) in(mapping *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return c.client.Resource(mapping.Resource)
	}
	if namespace == "" {
		namespace = "default"
	}
	return c.client.Resource(mapping.Resource).Namespace(namespace)
}

// mappingFor resolves a resource as a person writes it for kubectl.
func (c *cluster) mappingFor(argument string) (*meta.RESTMapping, error) {
	full, group := schema.ParseResourceArg(strings.ToLower(argument))
	if full != nil {
		if kind, err := c.expand.KindFor(*full); err == nil {
			return c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		}
	}
	kind, err := c.expand.KindFor(group.WithVersion(""))
	if err != nil {
		return nil, err
	}
	return c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
}

// serverPatience is how long an operation goes on against a server that does
// not answer: the supervisor starts a killed one again within seconds.
const serverPatience = 30 * time.Second

// unanswered reports whether the server gave no answer, or said to come again.
func unanswered(err error) bool {
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err)
}

// patiently repeats a call that the server does not answer. The calls made
// here may be repeated: applies, and deletions that tolerate absence.
func patiently(ctx context.Context, call func() error) error {
	for deadline := time.Now().Add(serverPatience); ; {
		err := call()
		if err == nil || !unanswered(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// name is an object as kubectl prints it, for messages.
func name(o *unstructured.Unstructured) string {
	s := strings.ToLower(o.GetKind()) + "/" + o.GetName()
	if o.GetNamespace() != "" {
		s += " in " + o.GetNamespace()
	}
	return s
}
