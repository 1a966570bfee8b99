package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
)

// TestMail holds each way of sending mail to what it needs: Ghost's variables, the ports that the network policy opens, and
// the secret. Without mail nobody must need a code that is mailed.
func TestMail(t *testing.T) {
	validator, err := newValidator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(validator.close)
	variables := map[string]string{
		"ENVIRONMENT": "dev", "DOMAIN": "dev.example.com", "AWS_REGION": "eu-west-1", "AWS_ACCOUNT_ID": "111111111111", "VPC_CIDR": "10.0.0.0/16",
		"GHOST_MAIL_FROM": "noreply@ghost.dev.example.com", "GHOST_MAIL_PORT": "465",
	}
	always := []any{int64(53), int64(53), int64(3306), int64(80), int64(443)}
	for transport, want := range map[config.MailTransport]struct {
		env    map[string]any
		egress []any
		secret string
	}{
		config.MailSES: {map[string]any{"mail__transport": "SES", "mail__options__region": "eu-west-1", "mail__options__auth__pass": nil, "security__staffDeviceVerification": nil}, always, ""},
		config.MailSMTP: {map[string]any{
			"mail__transport": "SMTP", "mail__options__host": "ghost-smtp/host", "mail__options__port": " 465", "mail__options__requireTLS": "true",
			"mail__options__auth__user": "ghost-smtp/username", "mail__options__auth__pass": "ghost-smtp/password", "security__staffDeviceVerification": nil,
		}, append(slices.Clone(always), int64(465)), "/dev/ghost/smtp"},
		config.MailNone: {map[string]any{"security__staffDeviceVerification": "false", "sendWelcomeEmail": "false", "mail__options__auth__pass": nil}, always, ""},
	} {
		t.Run(string(transport), func(t *testing.T) {
			run := &check{ctx: t.Context(), root: root, validator: validator}
			run.enter("k8s/apps")
			found := run.folder("k8s/apps", overlay{Components: []any{"ghost/mail/" + string(transport)}}, variables)
			run.content(found)
			for _, problem := range run.problems {
				t.Error(problem)
			}
			secret := ""
			for _, o := range found {
				switch o.String() {
				case "Deployment ghost/ghost":
					env := variablesOf(o)
					for name, value := range want.env {
						if env[name] != value {
							t.Errorf("%s is %#v, want %#v", name, env[name], value)
						}
					}
					if env["mail__from"] != "noreply@ghost.dev.example.com" {
						t.Errorf("mail__from is %v", env["mail__from"])
					}
				case "NetworkPolicy ghost/ghost":
					if got := egressPorts(o); fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want.egress) {
						t.Errorf("egress to ports %#v, want %#v", got, want.egress)
					}
				case "ExternalSecret ghost/ghost-smtp":
					secret = text(value(o, "spec", "dataFrom").([]any)[0].(map[string]any), "extract", "key")
				}
			}
			if secret != want.secret {
				t.Errorf("the secret is %q, want %q", secret, want.secret)
			}
		})
	}
	folders, err := os.ReadDir(filepath.Join(root, "k8s/apps/ghost/mail"))
	if err != nil || len(folders) != 3 {
		t.Errorf("k8s/apps/ghost/mail has %d folders, want one for each value of ghost.mail.transport (%v)", len(folders), err)
	}
}

// variablesOf are the environment variables of a Deployment's container; of one from a Secret, secret/key.
func variablesOf(o object) map[string]any {
	found := map[string]any{}
	containers := value(o, "spec", "template", "spec", "containers").([]any)
	for _, variable := range containers[0].(map[string]any)["env"].([]any) {
		entry := variable.(map[string]any)
		found[entry["name"].(string)] = entry["value"]
		if secret := text(entry, "valueFrom", "secretKeyRef", "name"); secret != "" {
			found[entry["name"].(string)] = secret + "/" + text(entry, "valueFrom", "secretKeyRef", "key")
		}
	}
	return found
}

// egressPorts are the ports that a NetworkPolicy opens to the outside.
func egressPorts(o object) []any {
	var ports []any
	for _, rule := range value(o, "spec", "egress").([]any) {
		for _, port := range rule.(map[string]any)["ports"].([]any) {
			number := port.(map[string]any)["port"]
			if whole, ok := number.(float64); ok {
				number = int64(whole)
			}
			ports = append(ports, number)
		}
	}
	return ports
}

// A Kustomization may patch what its folder holds, as production does with Ghost's replicas.
func TestPatches(t *testing.T) {
	root := tree(t)
	edit(t, root+"/k8s/clusters/base/apps.yaml", "  path: ", "  patches:\n    - patch: '- {op: replace, path: /spec/replicas, value: 3}'\n      target: {kind: Deployment}\n  path: ")
	rendered, err := Render(t.Context(), Options{Root: root, Charts: fakeCharts(root)}, "dev")
	if err != nil || len(rendered.Problems) > 0 {
		t.Fatal(err, rendered.Problems)
	}
	seen := 0
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			if o.Kind == "Deployment" && strings.Contains(o.YAML(), "replicas: 3") {
				seen++
			}
		}
	}
	if seen != 1 {
		t.Errorf("%d Deployments have the patched replicas, want 1", seen)
	}
	edit(t, root+"/k8s/clusters/base/apps.yaml", "value: 3", "value: three")
	problems, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root), Environments: []string{"dev"}})
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), "spec.replicas: got string, want integer") {
		t.Errorf("%v, %v", problems, err)
	}
}

// A fact may choose a component: the entry point is substituted, too.
func TestComponents(t *testing.T) {
	root := tree(t)
	edit(t, root+"/k8s/clusters/base/apps.yaml", "  path: ", "  components: [\"mail/${GHOST_MAIL}\"]\n  path: ")
	component := filepath.Join(root, "k8s/apps/mail/ses")
	if err := os.MkdirAll(component, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "# yaml-language-server: $schema=https://json.schemastore.org/kustomization\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations:\n  mail: ${GHOST_MAIL_FROM}\n"
	if err := os.WriteFile(filepath.Join(component, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rendered, err := Render(t.Context(), Options{Root: root, Charts: fakeCharts(root)}, "dev")
	if err != nil || len(rendered.Problems) > 0 {
		t.Fatal(err, rendered.Problems)
	}
	seen := 0
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			if strings.Contains(o.YAML(), "mail: noreply@ghost.") {
				seen++
			}
		}
	}
	if seen == 0 {
		t.Error("no object has the component's annotation")
	}
	edit(t, root+"/k8s/clusters/base/apps.yaml", "GHOST_MAIL}", "GHOST_POST}")
	problems, err := Check(t.Context(), Options{Root: root, Charts: fakeCharts(root), Environments: []string{"dev"}})
	if err != nil || len(problems) == 0 || !strings.Contains(problems[0].String(), "variable ${GHOST_POST} has no value") {
		t.Errorf("%v, %v", problems, err)
	}
}
