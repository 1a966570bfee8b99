package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/internal/fixture"
)

// A private repository is read before Flux has read anything: external-secrets from its own file, then the Secret, then the
// source, all of it before the root Kustomization; a public one needs none of it.
func TestGitCredentials(t *testing.T) {
	templates := sampleApp(t)
	var private int
	for _, env := range environments(t, sample(t), "") {
		stack := templates[env.StackName("cluster")]
		ids := slices.Collect(maps.Keys(stack.Resources))
		made := slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "BootstrapGitCredentials") })
		if made != (env.GitCredentials != "none") {
			t.Errorf("%s, credentials %s: the bootstrap makes them: %t", env.Name, env.GitCredentials, made)
		}
		if !made {
			continue
		}
		private++
		order := []string{"FluxKustomization", "FluxRead", "FluxSource", "GitCredentialsSecretTried", "GitCredentialsExternalSecret", "GitCredentialsUsableStore", "GitCredentialsStore", "GitCredentialsSecretsRunning", "GitCredentialsSecretsController", "FluxRunning"}
		for i, later := range order[:len(order)-1] {
			if !reachable(stack, stepID(t, stack, later))[stepID(t, stack, order[i+1])] {
				t.Errorf("%s: %s does not wait for %s", env.Name, later, order[i+1])
			}
		}
		// kubectl delete of the release would take its definitions, and with them every Secret that was made of them.
		controller := stack.Resources[stepID(t, stack, "GitCredentialsSecretsController")]
		if controller.DeletionPolicy != "Retain" || controller.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s: external-secrets is removed with its resource: %s, %s", env.Name, controller.DeletionPolicy, controller.UpdateReplacePolicy)
		}
		// The same object that Flux finds in Git, or the two would fight.
		objects := parseManifest(t, controller.Properties["Manifest"])
		content, err := os.ReadFile(filepath.Join("k8s", "platform", "controllers", "external-secrets.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(content), "\nkind: "); len(asList(objects)) != n {
			t.Errorf("%s: %d objects of external-secrets, the file has %d", env.Name, len(asList(objects)), n)
		}
		if text(objects) == "" || strings.Contains(text(objects), "${") {
			t.Errorf("%s: a variable is left: %s", env.Name, text(objects))
		}
		// The overlay of the environment counts: Flux would wait for a chart that one machine does not have.
		if overlay, err := os.ReadFile(filepath.Join("k8s", "platform", "controllers-"+env.Name, "kustomization.yaml")); err == nil {
			if version := get(objects, 2, "spec", "chart", "spec", "version").(string); !strings.Contains(string(overlay), "value: "+version+"\n") {
				t.Errorf("%s: chart %s of external-secrets is not the overlay's", env.Name, version)
			}
		}
		secret := get(parseManifest(t, stack.Resources[stepID(t, stack, "GitCredentialsExternalSecret")].Properties["Manifest"]), 0, "spec")
		if get(secret, "dataFrom", 0, "extract", "key") != env.SecretName("flux", "git-read") || get(secret, "target", "name") != "flux-git" {
			t.Errorf("%s: %s", env.Name, text(secret))
		}
	}
	if private == 0 {
		t.Error("no environment of the sample has a private repository")
	}
}

// No template asks CloudFormation for a secret: what it resolves ends in the kubectl function's log and in its event.
func TestNoResolvedSecretInManifests(t *testing.T) {
	for name, parsed := range sampleApp(t) {
		for id, r := range parsed.Resources {
			if strings.HasPrefix(r.Type, "Custom::") && strings.Contains(text(r), "resolve:secretsmanager") {
				t.Errorf("%s: %s resolves a secret into a custom resource, whose function logs it; let external-secrets copy it", name, id)
			}
		}
	}
}

// The gate names the repository's failure and what to do: the branch, and the credentials of this environment.
func TestGate(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		stack := templates[env.StackName("cluster")]
		id := stepID(t, stack, "FluxGate")
		if !reachable(stack, stepID(t, stack, "FluxSource"))[id] {
			t.Errorf("%s: the gate is not there before the source", env.Name)
		}
		policy := parseManifest(t, stack.Resources[id].Properties["Manifest"])
		message, _ := get(policy, 0, "spec", "validations", 0, "messageExpression").(string)
		want := "set repository.credentials in cdk.json"
		if env.GitCredentials != "none" {
			want = "aws secretsmanager create-secret --region " + env.Region + " --name " + env.SecretName("flux", "git-read")
		}
		if !strings.Contains(message, want) {
			t.Errorf("%s: the refusal lacks %q: %s", env.Name, want, message)
		}
		root := parseManifest(t, stack.Resources[stepID(t, stack, "FluxKustomization")].Properties["Manifest"])
		if got := get(root, 0, "metadata", "annotations", "bootstrap/source"); got != env.RepositoryURL+" "+env.FluxBranch()+" "+string(env.GitCredentials) {
			t.Errorf("%s: annotation %v", env.Name, got)
		}
	}
}

// Manifests that cannot be read with an environment's facts are named before anything is synthesized.
func TestReadSecretsControllerRefuses(t *testing.T) {
	private := slices.DeleteFunc(environments(t, sample(t), ""), func(e config.Environment) bool { return e.GitCredentials == config.CredentialsNone })
	name := private[0].Name
	root := fixture.Tree(t)
	entry, controller := filepath.Join(root, "k8s/clusters", name, "kustomization.yaml"), filepath.Join(root, "k8s/platform/own/kustomization.yaml")
	if err := os.MkdirAll(filepath.Dir(controller), 0o755); err != nil {
		t.Fatal(err)
	}
	own := "resources: [../base]\npatches:\n  - target: {kind: Kustomization, name: platform-controllers}\n    patch: |\n" +
		"      - {op: replace, path: /spec/path, value: ./k8s/platform/own}\n"
	of := func(value string) string {
		return "configMapGenerator: [{name: external-secrets, namespace: external-secrets, literals: ['url=" + value + "']}]\n"
	}
	for _, c := range []struct{ entry, controller, want string }{
		{own, of("${DOMAIN}"), ""},
		{own, of("${UNKNOWN}"), "k8s/platform/own: with the facts of " + name + `: variable not set (strict mode): "UNKNOWN"`},
		{own, "resources: [missing.yaml]\n", "k8s/platform/own: "},
		{"resources: [missing.yaml]\n", of(""), "k8s/clusters/" + name + ": "},
		{"namePrefix: other-\nresources: [../base]\n", of(""), "has no Kustomization platform-controllers"},
	} {
		for file, content := range map[string]string{entry: c.entry, controller: c.controller} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		manifests, err := infrastructure.ReadSecretsController(root, private[:1])
		switch {
		case c.want == "" && (err != nil || !strings.Contains(manifests[name], "url: ${DOMAIN}")):
			t.Errorf("a folder of the environment's own: %v, %q", err, manifests[name])
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
	if _, err := infrastructure.ReadSecretsController(t.TempDir(), private); err == nil || !strings.Contains(err.Error(), "make generate") {
		t.Errorf("no entry point: %v", err)
	}
}

// Nodes answer Session Manager where the endpoint is private, and with no more than that: the managed policy would let
// them read every parameter of the account.
func TestSessions(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		for id, r := range templates[env.StackName("cluster")].ofType("AWS::IAM::Role") {
			if !strings.HasPrefix(id, "NodesRole") {
				continue
			}
			if answers := strings.Contains(text(r), "ssmmessages:OpenDataChannel"); answers != env.PrivateEndpoint() {
				t.Errorf("%s: nodes answer Session Manager: %t, private endpoint: %t", env.Name, answers, env.PrivateEndpoint())
			}
			if strings.Contains(text(r), "AmazonSSMManagedInstanceCore") || strings.Contains(text(r), "ssm:GetParameter") {
				t.Errorf("%s: nodes may read parameters: %s", env.Name, text(r))
			}
		}
	}
}
