package system

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/observe"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// addresses knows the new address of each old one.
type addresses struct {
	state [2]string         // the old and the new state directory
	ports map[string]string // new by old
	bare  map[string]bool   // old ports that stand alone in secrets and stacks: those of databases
}

func portNames(p layout.Ports) []string { return slices.Sorted(maps.Keys(p)) }

func (r *restored) addresses(d *layout.Dir, now layout.Ports) addresses {
	a := addresses{state: [2]string{r.State, d.Root}, ports: map[string]string{}, bare: map[string]bool{}}
	for name, was := range r.Ports {
		if now[name] != was {
			a.ports[strconv.Itoa(was)] = strconv.Itoa(now[name])
		}
	}
	for _, name := range []string{layout.Database, layout.Postgres} {
		a.bare[strconv.Itoa(r.Ports[name])] = true
	}
	return a
}

// loopback are addresses on this machine, by its address or by a name that leads to it.
var loopback = regexp.MustCompile(`(127\.0\.0\.1|localhost):(\d+)\b`)

// renew replaces the old ports in a text, and one that is nothing but the port of a database.
func (a addresses) renew(text string) string {
	if now, moved := a.ports[text]; moved && a.bare[text] {
		return now
	}
	return loopback.ReplaceAllStringFunc(text, func(address string) string {
		host, port, _ := strings.Cut(address, ":")
		if now, moved := a.ports[port]; moved {
			return host + ":" + now
		}
		return address
	})
}

// endpointPort is a database's port among the attributes of a resource.
var endpointPort = regexp.MustCompile(`"Endpoint\.Port":"(\d+)"`)

func (a addresses) renewStack(text string) string {
	return endpointPort.ReplaceAllStringFunc(a.renew(text), func(s string) string {
		old := endpointPort.FindStringSubmatch(s)[1]
		return strings.Replace(s, old, a.renew(old), 1)
	})
}

// renewFiles replaces old addresses in the files that nothing writes anew: stacks, what pods are told of their role, and
// the paths in records of deployments and executions.
func (a addresses) renewFiles(d *layout.Dir) error {
	paths := strings.NewReplacer(strconv.Quote(a.state[0] + "/")[:len(a.state[0])+2], strconv.Quote(a.state[1] + "/")[:len(a.state[1])+2])
	for folder, renew := range map[string]func(string) string{
		"cloud": a.renewStack, "pods": a.renew, "deployments": paths.Replace, "pipelines": paths.Replace,
	} {
		err := filepath.WalkDir(d.Path(folder), func(name string, e fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || !e.Type().IsRegular() || filepath.Ext(name) != ".json" {
				return err
			}
			if folder == "pods" && e.Name() != "identity.json" { // the rest is the pods' own
				return nil
			}
			was, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text := renew(string(was))
			if text == string(was) {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			return atomicfile.Write(name, []byte(text), info.Mode().Perm())
		})
		if err != nil {
			return fmt.Errorf("moving the state to %s: %w", d.Root, err)
		}
	}
	return nil
}

// moveFiles renews the addresses in files. Where the ports are the same, the cluster has none to renew.
func (u *up) moveFiles(r *restored) error {
	a := r.addresses(u.Dir, u.ports)
	if err := a.renewFiles(u.Dir); err != nil || len(a.ports) > 0 {
		return err
	}
	r.Pending = false
	return r.save(u.Dir)
}

// startNode starts the pods, and what needs them. In the state of a snapshot the addresses are renewed first: a pod that
// began with an old one could reach the system that the snapshot is of.
func (u *up) startNode(ctx context.Context, out *progress.Output) error {
	run := u.Dir.Path("run")
	limited, cancel := context.WithTimeout(ctx, processStart)
	defer cancel()
	if r := pending(u.Dir); r != nil {
		moved, err := u.move(ctx, r)
		if err != nil {
			return err
		}
		out.Result("%d objects have new addresses", moved)
		if err := supervise.SavePlan(run, u.whole); err != nil {
			return err
		}
		if err := supervise.Start(limited, run); err != nil {
			return err
		}
	}
	return supervise.WaitReady(limited, run, procNode, albDaemon, pipelinesDaemon)
}

func (u *up) move(ctx context.Context, r *restored) (int, error) {
	a := r.addresses(u.Dir, u.ports)
	secrets, err := moveSecrets(ctx, secretsmanager.NewFromConfig(deploy.Config(u.ports.URL(layout.AWS))), a.renew)
	if err != nil {
		return 0, err
	}
	c, err := observe.Open(u.Dir.Kubeconfig())
	if err != nil {
		return 0, err
	}
	objects, err := c.Move(ctx, a.renew)
	if err != nil {
		return 0, err
	}
	r.Pending = false
	return secrets + objects, r.save(u.Dir)
}

// moveSecrets renews the addresses in Secrets Manager: of databases, in the values of JSON objects.
func moveSecrets(ctx context.Context, client *secretsmanager.Client, renew func(string) string) (int, error) {
	moved := 0
	pages := secretsmanager.NewListSecretsPaginator(client, &secretsmanager.ListSecretsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return moved, err
		}
		for _, s := range page.SecretList {
			value, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: s.ARN})
			if err != nil {
				return moved, fmt.Errorf("secret %s: %w", aws.ToString(s.Name), err)
			}
			was := aws.ToString(value.SecretString)
			text := renewObject(was, renew)
			if text == was {
				continue
			}
			if _, err := client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: s.ARN, SecretString: &text}); err != nil {
				return moved, fmt.Errorf("secret %s: %w", aws.ToString(s.Name), err)
			}
			moved++
		}
	}
	return moved, nil
}

// renewObject renews the texts and numbers of a JSON object; another text stays as it is.
func renewObject(text string, renew func(string) string) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		return text
	}
	changed := false
	for k, raw := range fields {
		var word string
		quoted := json.Unmarshal(raw, &word) == nil
		if !quoted {
			word = string(raw)
		}
		now := renew(word)
		if now == word {
			continue
		}
		changed = true
		if fields[k] = json.RawMessage(now); quoted {
			fields[k], _ = json.Marshal(now) // of a string: it cannot fail
		}
	}
	if !changed {
		return text
	}
	out, err := json.Marshal(fields)
	if err != nil { // of what was read: it cannot be
		return text
	}
	return string(out)
}
