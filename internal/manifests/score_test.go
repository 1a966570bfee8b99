package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/fixture"
)

// accepted is what kube-score finds in objects, and why that is right. The objects are a pattern of path.Match over
// Kind/group/version/namespace/name.
type accepted struct{ objects, check, reason string }

var acceptedScores = []accepted{
	{"Deployment/*/*/*/*", "container-resources", "no limit of CPU: a throttled pod is slow while the node is idle, and requests share a busy one"},
	{"Deployment/*/*/*/*", "container-ephemeral-storage-request-and-limit", "root file systems are read-only and volumes have a size limit; only logs grow, which the kubelet rotates"},
	{"Deployment/*/*/*/*", "container-image-pull-policy", "tags are versions and never move, most with a digest; to pull again would make a registry a part of every start"},
	{"Deployment/*/*/*/*", "container-security-context-user-group-id", "the images' own users, 1000 to 65534: a pod gets no file of its node, so that no user of the node has the same id"},
	{"Deployment/*/*/kube-system/aws-load-balancer-controller", "pod-networkpolicy", "kube-system is EKS's: a policy there would meet pods that this repository does not make"},
	{"Deployment/*/*/external-dns/external-dns", "deployment-replicas", "one writer of the zone: a second one waits for nothing, and records stay while it restarts"},
	{"Deployment/*/*/external-dns/external-dns", "deployment-strategy", "the chart recreates it for the same reason"},
	{"Deployment/*/*/external-dns/external-dns", "pod-probes-identical", "the chart's: the program has one address for both"},
	{"Deployment/*/*/ghost/ghost", "deployment-replicas", "Ghost keeps settings in memory: docs/addons/ghost.md says what two replicas mean"},
	{"NetworkPolicy/*/*/ghost/gitops-connect", "networkpolicy-targets-pod", "the pod is there while gitops reaches the database through it"},
	{"NetworkPolicy/*/*/flux-system/allow-load-balancer", "networkpolicy-targets-pod", "the pods are Flux's, which the bootstrap installs"},
	{"Ingress/*/*/flux-system/webhook-receiver", "ingress-targets-service", "the Service is Flux's, which the bootstrap installs"},
}

// scored is what is read of kube-score's JSON.
type scored struct {
	Object string `json:"object_name"`
	Checks []struct {
		Check struct {
			ID string `json:"id"`
		} `json:"check"`
		Grade    int  `json:"grade"`
		Skipped  bool `json:"skipped"`
		Comments []struct {
			Summary string `json:"summary"`
		} `json:"comments"`
	} `json:"checks"`
}

// fine is kube-score's grade of what is as it should be.
const fine = 10

// kube-score finds nothing in the platform's manifests but what is accepted here, and nothing is accepted that it does not find.
// A team's own applications are for the team to judge.
func TestScore(t *testing.T) {
	root := fixture.Root(t)
	tree := fixture.Tree(t)
	own := ownApplications(t, tree)
	used := map[accepted]bool{}
	for _, f := range score(t, root, renderedYAML(t, root, tree, "production")) {
		if slices.Contains(own, path.Base(path.Dir(f.Object))) { // the namespace
			continue
		}
		for _, c := range f.Checks {
			if c.Skipped || c.Grade >= fine {
				continue
			}
			reason := reasonOf(f.Object, c.Check.ID)
			if reason == nil {
				t.Errorf("%s fails %s: %v; correct it, or accept it here with the reason", f.Object, c.Check.ID, c.Comments)
				continue
			}
			used[*reason] = true
		}
	}
	for _, a := range acceptedScores {
		if !used[a] {
			t.Errorf("nothing fails %s as %s any more: remove it", a.check, a.objects)
		}
	}
}

// ownApplications are the applications beside the demo, each in a namespace of its name.
func ownApplications(t *testing.T, tree string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(tree, "k8s", "apps", "*", "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, file := range found {
		if name := filepath.Base(filepath.Dir(file)); name != "ghost" {
			own = append(own, name)
		}
	}
	return own
}

func reasonOf(object, check string) *accepted {
	for _, a := range acceptedScores {
		if ok, _ := path.Match(a.objects, object); ok && a.check == check {
			return &a
		}
	}
	return nil
}

// renderedYAML is everything that arrives in an environment's cluster, with the objects of the charts. Charts are found by the
// pins of the repository, the rest is the tree's.
func renderedYAML(t *testing.T, root, tree, environment string) []byte {
	t.Helper()
	rendered, err := Render(t.Context(), Options{Root: tree, Charts: ReleasedCharts(root, nil)}, environment)
	if err != nil || len(rendered.Problems) > 0 {
		t.Fatal(err, rendered.Problems)
	}
	var out bytes.Buffer
	write := func(o Object) {
		content, err := yaml.Marshal(o.Values)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(content)
	}
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			write(o)
			if o.Release == nil {
				continue
			}
			of, err := o.Release.Objects()
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range of {
				write(o)
			}
		}
	}
	return out.Bytes()
}

// score runs kube-score, which ends with 1 when it finds something.
func score(t *testing.T, root string, manifests []byte) []scored {
	t.Helper()
	tool, err := exec.CommandContext(t.Context(), "go", "-C", filepath.Join(root, "tools", "kube-score"), "tool", "-n", "kube-score").Output()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), strings.TrimSpace(string(tool)), "score", "--output-format", "json", "--kubernetes-version", "v1.33", "-") //nolint:gosec // the tool's own path
	command.Stdin = bytes.NewReader(manifests)
	content, err := command.Output()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	var findings []scored
	if err := json.Unmarshal(content, &findings); err != nil {
		t.Fatalf("kube-score: %v: %s", err, ended.Stderr)
	}
	return findings
}
