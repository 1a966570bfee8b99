//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
)

// private proves a private repository and the way into a private cluster.
func (s *system) private() {
	s.step("1 the repository refuses who does not sign in, and Flux reads it", s.readsPrivately)
	s.step("1 a wrong password is told with its remedy, and a right one heals", s.wrongPassword)
	s.step("1 the API server through a forwarded port, by its own name", s.forwarded)
}

const gitRead = "/local/flux/git-read"

var (
	sources         = schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}
	roots           = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	externalSecrets = schema.GroupVersionResource{Group: "external-secrets.io", Version: "v1", Resource: "externalsecrets"}
)

func (s *system) readsPrivately(ctx context.Context) (string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	for _, service := range []string{"git-upload-pack", "git-receive-pack"} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, ports.URL(layout.Git)+"/platform.git/info/refs?service="+service, http.NoBody)
		if err != nil {
			return "", err
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			return "", fmt.Errorf("%s without a login is answered by %d, want 401", service, resp.StatusCode)
		}
	}
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	secret, err := c.Kube.CoreV1().Secrets("flux-system").Get(ctx, "flux-git", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].Kind != "ExternalSecret" {
		return "", fmt.Errorf("flux-git is owned by %v, want an ExternalSecret", secret.OwnerReferences)
	}
	source, err := c.Dynamic.Resource(sources).Namespace("flux-system").Get(ctx, "flux-system", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	spec, err := json.Marshal(source.Object["spec"])
	if err == nil && !strings.Contains(string(spec), `"secretRef":{"name":"flux-git"}`) {
		err = fmt.Errorf("the source does not use flux-git: %s", spec)
	}
	return "401, and 200 for Flux", err
}

// wrongPassword changes the secret as somebody who rotates a token badly would.
func (s *system) wrongPassword(ctx context.Context) (said string, err error) {
	settings, err := s.aws()
	if err != nil {
		return "", err
	}
	client := secretsmanager.NewFromConfig(settings)
	right, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(gitRead)})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.password(ctx, client, aws.ToString(right.SecretString), true)) }()
	if err := s.password(ctx, client, `{"username":"flux","password":"wrong"}`, false); err != nil {
		return "", err
	}
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	root := c.Dynamic.Resource(roots).Namespace("flux-system")
	options := metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}
	_, refused := root.Patch(ctx, "flux-system", types.MergePatchType, []byte(`{"metadata":{"annotations":{"bootstrap/source":"another"}}}`), options)
	for _, want := range []string{"Flux cannot read http://git.localhost/platform.git, branch released/local", "authentication required", "aws secretsmanager create-secret --region eu-west-1 --name " + gitRead} {
		if refused == nil || !strings.Contains(refused.Error(), want) {
			return "", fmt.Errorf("the refusal lacks %q: %w", want, refused)
		}
	}
	if _, err := root.Patch(ctx, "flux-system", types.MergePatchType, []byte(`{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"now"}}}`), options); err != nil {
		return "", fmt.Errorf("a change that is not of the source is refused: %w", err)
	}
	return refused.Error(), nil
}

// password stores a value and waits until Flux has met it.
func (s *system) password(ctx context.Context, client *secretsmanager.Client, value string, right bool) error {
	if _, err := client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String(gitRead), SecretString: &value}); err != nil {
		return err
	}
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	now := time.Now().Format(time.RFC3339Nano)
	if err := annotate(ctx, c, externalSecrets, "flux-git", "force-sync", now); err != nil {
		return err
	}
	var want struct{ Password string }
	if err := json.Unmarshal([]byte(value), &want); err != nil {
		return err
	}
	return until(ctx, 5*time.Minute, "Flux to meet the new password", func() error {
		secret, err := c.Kube.CoreV1().Secrets("flux-system").Get(ctx, "flux-git", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if string(secret.Data["password"]) != want.Password {
			return errors.New("the Secret has the old password")
		}
		if err := annotate(ctx, c, sources, "flux-system", "reconcile.fluxcd.io/requestedAt", time.Now().Format(time.RFC3339Nano)); err != nil {
			return err
		}
		items, err := c.GitRepositories(ctx)
		if err != nil {
			return err
		}
		for _, i := range items {
			if i.Namespace == "flux-system" && i.Name == "flux-system" {
				if ready := i.Ready == "True"; ready == right && i.Ready != "Unknown" {
					return nil
				}
				return fmt.Errorf("the source is %s: %s", i.Ready, i.Message)
			}
		}
		return errors.New("no source flux-system")
	})
}

func annotate(ctx context.Context, c *observe.Cluster, resource schema.GroupVersionResource, name, key, value string) error {
	return patch(ctx, c, resource, name, map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
}

// forwarded reaches the API server as docs/guides/private.md does through Session Manager: by a port of this machine that
// leads to it, with a kubeconfig that names the port and, for the certificate, the server.
func (s *system) forwarded(ctx context.Context) (string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	port, err := forward(ctx, ports.Addr(layout.APIServer))
	if err != nil {
		return "", err
	}
	ask := func(name string) error {
		file, err := clientcmd.LoadFromFile(s.dir.Kubeconfig())
		if err != nil {
			return err
		}
		for _, cluster := range file.Clusters {
			cluster.Server, cluster.TLSServerName = fmt.Sprintf("https://localhost:%d", port), name
		}
		settings, err := clientcmd.NewDefaultClientConfig(*file, nil).ClientConfig()
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(settings)
		if err != nil {
			return err
		}
		_, err = client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return err
	}
	if err := ask("kubernetes.default.svc"); err != nil {
		return "", fmt.Errorf("by the server's name: %w", err)
	}
	if err := ask("another.example.com"); err == nil || !strings.Contains(err.Error(), "x509") {
		return "", fmt.Errorf("by another name the certificate should be refused, got: %w", err)
	}
	return "nodes listed; another name is refused", nil
}

// forward listens on a port of this machine and hands each connection to an address, until ctx ends.
func forward(ctx context.Context, address string) (int, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			var dial net.Dialer
			out, err := dial.DialContext(ctx, "tcp", address)
			if err != nil {
				in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					defer pair[0].Close()
					_, _ = io.Copy(pair[0], pair[1])
				}()
			}
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, nil
}
