//go:build e2e

package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"k8s-plus-aws-gitops/local/system/observe"
)

// catcher takes what Flux tells: events with the signature of a key.
// https://fluxcd.io/flux/components/notification/providers/#generic-webhook-with-hmac
type catcher struct {
	key string

	mu     sync.Mutex
	events []caught
}

// caught is what is read of an event.
type caught struct {
	Severity, Message string
	InvolvedObject    struct{ Kind, Name string }
	Metadata          map[string]string
}

func (c *catcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	sum := hmac.New(sha256.New, []byte(c.key))
	sum.Write(body)
	var e caught
	if err != nil || r.Header.Get("X-Signature") != "sha256="+hex.EncodeToString(sum.Sum(nil)) || json.Unmarshal(body, &e) != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// of fails unless an error of an object was caught.
func (c *catcher) of(kind, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.Severity == "error" && e.InvolvedObject.Kind == kind && e.InvolvedObject.Name == name && e.Metadata["environment"] == "local" {
			return nil
		}
	}
	return fmt.Errorf("%d events were caught, none an error of %s %s: %+v", len(c.events), kind, name, c.events)
}

// alerted lets Flux tell a webhook of its errors, by the configuration of the environment and a secret, and makes one: a Kustomization
// of a folder that is not there.
func (s *system) alerted(ctx context.Context) (said string, err error) {
	heard := &catcher{key: "a-key-of-this-test"}
	web := httptest.NewServer(heard)
	defer web.Close()
	if err := s.alertSecret(ctx, web.URL, heard.key); err != nil {
		return "", err
	}
	chosen := func(webhook string) error {
		return s.configure("local", func(e map[string]any) { e["alerts"] = map[string]any{"webhook": webhook} })
	}
	if err := chosen("generic-hmac"); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Tell a webhook of errors"); err != nil {
		return "", err
	}
	defer func() {
		if took := chosen("none"); took == nil {
			err = errors.Join(err, s.push(context.WithoutCancel(ctx), "Tell no webhook"))
		}
	}()
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	const name = "nowhere"
	began := time.Now()
	err = broken(ctx, c, name, func() error {
		return until(ctx, 5*time.Minute, "the webhook to hear of an error", func() error { return heard.of("Kustomization", name) })
	})
	return fmt.Sprintf("heard %.0f s after it began", time.Since(began).Seconds()), err
}

// broken has the cluster have a Kustomization of a folder that is not there, while something runs. Flux tells the same error of the
// same name once in five minutes, whoever hears it.
func broken(ctx context.Context, c *observe.Cluster, name string, during func() error) (err error) {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": map[string]any{"name": name, "namespace": "flux-system"},
		"spec": map[string]any{"interval": "1m", "path": "./nowhere", "prune": true, "sourceRef": map[string]any{"kind": "GitRepository", "name": "flux-system"}},
	}}
	of := c.Dynamic.Resource(roots).Namespace("flux-system")
	if _, err := of.Create(ctx, o, metav1.CreateOptions{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, of.Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{})) }()
	return during()
}

// alertSecret stores the address of the webhook, as a person does.
func (s *system) alertSecret(ctx context.Context, address, key string) error {
	settings, err := s.aws()
	if err != nil {
		return err
	}
	value, err := json.Marshal(map[string]string{"address": address, "token": key})
	if err != nil {
		return err
	}
	client, name := secretsmanager.NewFromConfig(settings), "/local/flux/alert-webhook"
	_, err = client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(string(value))})
	if err != nil { // it is there from a run before
		_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: aws.String(string(value))})
	}
	return err
}
