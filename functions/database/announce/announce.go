// Package announce brings a new password into pods: it has external-secrets read the secret at once, and starts the pods
// anew that use it. It writes one annotation on each of both, so Flux has nothing to put back, and needs no controller of its
// own.
package announce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"k8s.io/client-go/rest"

	"k8s-plus-aws-gitops/internal/eks"
)

const (
	// Manager owns the two annotations.
	Manager = "database-rotation"
	// refreshAnnotation is external-secrets' own: any change of an annotation has it read the secret.
	// https://external-secrets.io/latest/introduction/faq/#can-i-manually-trigger-a-secret-refresh
	refreshAnnotation = "force-sync"
	// Annotation of a Deployment's pods is the version of the secret that they were started for.
	Annotation = "gitops/secret-version"
	// patience is how long external-secrets may take to read the secret.
	patience = 30 * time.Second
)

// Pods are the pods that read a secret.
type Pods struct {
	AWS                aws.Config
	Cluster, Namespace string
	// SecretName is the secret's path in Secrets Manager, as ExternalSecrets name it.
	SecretName string
}

// Announce refreshes what was made of the secret, and then starts the Deployments anew that use it. A cluster that is not
// there has no pods.
func (p Pods) Announce(ctx context.Context, version string) error {
	config, err := eks.Config(ctx, p.AWS, p.Cluster)
	var missing *ekstypes.ResourceNotFoundException
	if errors.As(err, &missing) {
		slog.InfoContext(ctx, "there is no cluster, so no pods are started anew", "cluster", p.Cluster)
		return nil
	}
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	return (&kubernetes{client, config.Host}).announce(ctx, p.Namespace, p.SecretName, version)
}

// kubernetes is the API of a cluster.
type kubernetes struct {
	client *http.Client
	host   string
}

func (k *kubernetes) announce(ctx context.Context, namespace, path, version string) error {
	external, err := k.list(ctx, "/apis/external-secrets.io/v1/namespaces/"+namespace+"/externalsecrets")
	if err != nil {
		return err
	}
	made := map[string]bool{}
	for _, e := range external {
		if !e.reads(path) {
			continue
		}
		if err := k.refresh(ctx, namespace, e); err != nil {
			return err
		}
		made[e.target()] = true
	}
	deployments, err := k.list(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments")
	if err != nil {
		return err
	}
	for _, d := range deployments {
		if !d.uses(made) {
			continue
		}
		name := str(d, "metadata", "name")
		annotations := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{Annotation: version}}}}}
		if _, err := k.patch(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments/"+url.PathEscape(name), annotations); err != nil {
			return err
		}
		slog.InfoContext(ctx, "pods are started anew", "namespace", namespace, "deployment", name, "version", version)
	}
	return nil
}

// refresh has external-secrets read the secret, and waits until it has.
func (k *kubernetes) refresh(ctx context.Context, namespace string, e object) error {
	name := str(e, "metadata", "name")
	at := "/apis/external-secrets.io/v1/namespaces/" + namespace + "/externalsecrets/" + url.PathEscape(name)
	// The time and not the version: a repeated step must have it read again.
	annotations := map[string]any{"metadata": map[string]any{"annotations": map[string]any{refreshAnnotation: time.Now().UTC().Format(time.RFC3339Nano)}}}
	before := str(e, "status", "syncedResourceVersion")
	if _, err := k.patch(ctx, at, annotations); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("ExternalSecret %s/%s was not read again within %s", namespace, name, patience))
	defer cancel()
	for {
		now, err := k.do(ctx, http.MethodGet, at, nil)
		if err == nil && str(now, "status", "syncedResourceVersion") != before && now.ready() {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (k *kubernetes) list(ctx context.Context, path string) ([]object, error) {
	out, err := k.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, item := range list(out, "items") {
		if o, ok := item.(map[string]any); ok {
			items = append(items, o)
		}
	}
	return items, nil
}

func (k *kubernetes) patch(ctx context.Context, path string, change map[string]any) (object, error) {
	return k.do(ctx, http.MethodPatch, path+"?fieldManager="+Manager, change)
}

func (k *kubernetes) do(ctx context.Context, method, path string, body map[string]any) (object, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(k.host, "/")+path, content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := k.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the cluster's API: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := object{}
	err = json.NewDecoder(io.LimitReader(response.Body, 32<<20)).Decode(&answer)
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("the cluster's API: %s: %s", response.Status, str(answer, "message"))
	}
	return answer, err
}
