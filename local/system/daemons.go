package system

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"k8s.io/client-go/tools/clientcmd"

	"k8s-plus-aws-gitops/local/alb"
	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/procnode"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/report"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// daemons are the processes that run inside the gitops binary.
var daemons = map[string]func(context.Context, *System, layout.Ports, *slog.Logger) error{
	supervise.SupervisorName: func(ctx context.Context, s *System, _ layout.Ports, log *slog.Logger) error {
		return (&supervise.Supervisor{Run: s.Dir.Path("run"), Log: log}).Supervise(ctx)
	},
	supervise.WatchdogName: func(ctx context.Context, s *System, _ layout.Ports, log *slog.Logger) error {
		return supervise.Watchdog(ctx, s.Dir.Path("run"), log)
	},
	procNode:        runNode,
	gitDaemon:       runGit,
	albDaemon:       runALB,
	endpointDaemon:  runEndpoint,
	pipelinesDaemon: runPipelines,
}

// Daemons lists the names that Daemon knows.
func Daemons() []string {
	var names []string
	for n := range daemons {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Daemon runs one of the processes until ctx ends; the supervisor starts it.
func (s *System) Daemon(ctx context.Context, name string, log *slog.Logger) error {
	run, ok := daemons[name]
	if !ok {
		return fmt.Errorf("no daemon %q: it is one of %s", name, strings.Join(Daemons(), ", "))
	}
	ports, err := s.Dir.LoadPorts()
	if err != nil {
		return err
	}
	if len(ports) == 0 {
		return fmt.Errorf("no local system in %s: run `gitops local up`", s.Dir.Root)
	}
	return run(ctx, s, ports, log)
}

func runNode(ctx context.Context, s *System, p layout.Ports, log *slog.Logger) error {
	env, err := s.trust()
	if err != nil {
		return err
	}
	env[supervise.StateVariable] = s.Dir.Root
	return procnode.Run(ctx, procnode.Config{
		Kubeconfig: s.Dir.Kubeconfig(),
		NodeName:   deploy.Environment,
		ImagesFile: s.Dir.Images(),
		Root:       s.Dir.Path("pods"),
		Listen:     p.Addr(layout.Kubelet),
		Gate:       p.Addr(layout.Gate),
		GateSocket: s.Dir.GateSocket(),
		Hosts: map[string]string{
			gitHost + ":80":             p.Addr(layout.Git),
			chartsHost + ":80":          p.Addr(layout.Git),
			front.RegistryHost + ":80":  p.Addr(layout.AWS),
			front.RegistryHost + ":443": "", // tried first by every client of registries
		},
		PodPrefix:   "10.10.",
		Region:      deploy.Region,
		Zone:        deploy.Region + "a",
		PodIdentity: p.URL(layout.AWS),
		Env:         env,
		Log:         log,
	})
}

func runALB(ctx context.Context, s *System, p layout.Ports, log *slog.Logger) error {
	authority, err := ca.Ensure(s.Dir.Path("ca"))
	if err != nil {
		return err
	}
	return alb.Run(ctx, alb.Config{
		HTTP:           p.Addr(layout.HTTP),
		HTTPS:          p.Addr(layout.HTTPS),
		AWS:            deploy.Config(p.URL(layout.AWS)),
		Gate:           p.Addr(layout.Gate),
		GetCertificate: authority.GetCertificate,
		PublicHTTP:     p[layout.HTTP],
		PublicHTTPS:    p[layout.HTTPS],
		Log:            log,
	})
}

// runGit serves the repositories and the charts. After a push it tells Flux, as
// GitHub's webhooks would, and the pipelines, as the connection to GitHub would.
func runGit(ctx context.Context, s *System, p layout.Ports, log *slog.Logger) error {
	hook, err := s.webhook(p)
	if err != nil {
		return err
	}
	accounts, err := s.accounts()
	if err != nil {
		return err
	}
	return git.Run(ctx, git.Config{
		Listen:       p.Addr(layout.Git),
		Private:      map[string][]git.Account{platformRepository: accounts},
		Repositories: filepath.Dir(s.Dir.Repository()),
		Charts:       s.Dir.Path("charts"),
		OnReceive:    func(push git.Push) { s.record(push, log) },
		OnPush:       announcer(hook, log),
		Log:          log,
	})
}

// webhook reaches Flux's Receiver as GitHub does: by its public name, through
// the load balancer, signed with the shared token.
func (s *System) webhook(p layout.Ports) (git.Webhook, error) {
	client, err := report.Client(s.Dir, p)
	if err != nil {
		return git.Webhook{}, err
	}
	client.Timeout = 10 * time.Second
	secrets := secretsmanager.NewFromConfig(deploy.Config(p.URL(layout.AWS)))
	return git.Webhook{
		Client: client,
		URL: briefly(func(ctx context.Context) (string, error) {
			c, err := observe.Open(s.Dir.Kubeconfig())
			if err != nil {
				return "", err
			}
			path, err := c.WebhookPath(ctx, "flux-system", "github")
			return fmt.Sprintf("https://%s:%d%s", webHost, p[layout.HTTPS], path), err
		}),
		Token: briefly(func(ctx context.Context) (string, error) {
			return token(ctx, secrets)
		}),
	}, nil
}

// tokenSecret is where the webhook's token is agreed to be.
const tokenSecret = "/" + deploy.Environment + "/flux/webhook-token"

func token(ctx context.Context, c *secretsmanager.Client) (string, error) {
	got, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(tokenSecret)})
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", tokenSecret, err)
	}
	var value struct{ Token string }
	if err := json.Unmarshal([]byte(aws.ToString(got.SecretString)), &value); err != nil {
		return "", fmt.Errorf("secret %s: %w", tokenSecret, err)
	}
	if value.Token == "" {
		return "", fmt.Errorf("secret %s has no key token", tokenSecret)
	}
	return value.Token, nil
}

// awaitAuthority is clusterAuthority once the control plane has written it, which it does before it starts anything: the
// AWS API need not wait for more of it.
func (s *System) awaitAuthority(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, processStart)
	defer cancel()
	for {
		if _, err := os.Stat(s.Dir.Kubeconfig()); err == nil {
			return s.clusterAuthority()
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%s is not there: see %s", s.Dir.Kubeconfig(), s.Dir.Log(controlPlane))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// clusterAuthority is the apiserver's certificate authority as EKS returns it:
// base64 of PEM.
func (s *System) clusterAuthority() (string, error) {
	c, err := clientcmd.BuildConfigFromFlags("", s.Dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	pem := c.CAData
	if len(pem) == 0 && c.CAFile != "" {
		if pem, err = os.ReadFile(c.CAFile); err != nil {
			return "", err
		}
	}
	if len(pem) == 0 {
		return "", errors.New(s.Dir.Kubeconfig() + " names no certificate authority: remove the file and run `gitops local up`")
	}
	return base64.StdEncoding.EncodeToString(pem), nil
}
