package infrastructure

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// manifests of a cluster with a bootstrap, by kind and name, and what each needs before it.
func manifests(t *testing.T, keys map[string]string) (objects map[string]map[string]any, needs map[string][]string) {
	t.Helper()
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewBootstrap(stack, "Bootstrap", &BootstrapProps{Env: env, Cluster: bare(t, stack, "Bare", "green"), VPC: vpc(stack), Zone: zone(stack), Key: key(stack), PublicKeys: keys})
	raw, err := json.Marshal(cdktest.Synthesize(t, stack).FindResources(jsii.String("Custom::AWSCDK-EKS-KubernetesResource"), nil))
	if err != nil {
		t.Fatal(err)
	}
	var resources map[string]struct {
		DependsOn  []string
		Properties struct{ Manifest any }
	}
	if err := json.Unmarshal(raw, &resources); err != nil {
		t.Fatal(err)
	}
	objects, needs = map[string]map[string]any{}, map[string][]string{}
	ids := map[string]string{}
	for id, r := range resources {
		text, literal := r.Properties.Manifest.(string)
		var all []map[string]any
		if !literal || json.Unmarshal([]byte(text), &all) != nil {
			continue // it has a token
		}
		for _, o := range all {
			name := o["kind"].(string) + "/" + o["metadata"].(map[string]any)["name"].(string)
			objects[name], ids[id] = o, name
		}
	}
	for id, name := range ids {
		for _, before := range resources[id].DependsOn {
			needs[name] = append(needs[name], ids[before])
		}
	}
	return objects, needs
}

// With keys Flux gets them before the source that it verifies by them, and looks again when they change; without, nothing.
func TestPublicKeys(t *testing.T) {
	before, needs := manifests(t, map[string]string{"alice.asc": "hello", "github.asc": "world"})
	secret, source := before["Secret/flux-keys"], before["GitRepository/flux-system"]
	if want := map[string]any{"alice.asc": "aGVsbG8=", "github.asc": "d29ybGQ="}; !reflect.DeepEqual(secret["data"], want) || secret["stringData"] != nil {
		t.Errorf("the Secret is %v, want data %v", secret, want)
	}
	if secret["metadata"].(map[string]any)["namespace"] != "flux-system" {
		t.Errorf("the Secret is not where Flux looks: %v", secret["metadata"])
	}
	want := map[string]any{"mode": "HEAD", "secretRef": map[string]any{"name": "flux-keys"}}
	if got := source["spec"].(map[string]any)["verify"]; !reflect.DeepEqual(got, want) {
		t.Errorf("verify is %v, want %v", got, want)
	}
	if !strings.Contains(strings.Join(needs["GitRepository/flux-system"], " "), "Secret/flux-keys") {
		t.Errorf("the source is there before the keys: it needs %q", needs["GitRepository/flux-system"])
	}
	after, _ := manifests(t, map[string]string{"alice.asc": "hello", "github.asc": "another"})
	if reflect.DeepEqual(source["metadata"], after["GitRepository/flux-system"]["metadata"]) {
		t.Error("other keys do not make Flux look again")
	}
	none, _ := manifests(t, nil)
	if source := none["GitRepository/flux-system"]; none["Secret/flux-keys"] != nil || source["spec"].(map[string]any)["verify"] != nil || source["metadata"].(map[string]any)["annotations"] != nil {
		t.Errorf("without keys: %v, %v", none["Secret/flux-keys"], source)
	}
}

// A repository whose last commit nobody signed is refused with that remedy.
func TestRemedyOfUnsigned(t *testing.T) {
	env := cdktest.Environment(t)
	const says = "signed by a key of repository.verify"
	if got := remedy(env); strings.Contains(got, says) {
		t.Errorf("without keys: %s", got)
	}
	env.Repository.Verify = []string{"keys/alice.asc"}
	if got := remedy(env); !strings.Contains(got, says) {
		t.Errorf("with keys: %s", got)
	}
}
