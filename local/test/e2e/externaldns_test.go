//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/deploy"
)

// TestZoneOfDomain runs external-dns once, with the arguments of the manifests, on a zone in Route 53's stand-in. A
// domain may be its zone's or lie below it; a zone beside it stays as it is.
func TestZoneOfDomain(t *testing.T) {
	program, err := programs.Build(t.Context(), "external-dns", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	arguments, facts := externalDNSArguments(t)
	for name, c := range map[string]struct{ zone, domain string }{
		"the zone's own domain": {"dev.example.com", "dev.example.com"},
		"below its zone":        {"dev.example.com", "jane.dev.example.com"},
		"two levels below":      {"example.com", "jane.dev.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			server := mototest.New(t)
			client := route53.NewFromConfig(deploy.Config(server.URL))
			zone, other := hostedZone(t, client, c.zone), hostedZone(t, client, c.zone)
			set := strings.NewReplacer(facts["DOMAIN"], c.domain, facts["HOSTED_ZONE_ID"], zone)
			args := []string{"--once", "--source=fake", "--fqdn-template=" + c.domain, "--metrics-address=127.0.0.1:0"}
			for _, a := range arguments {
				if !strings.HasPrefix(a, "--source=") {
					args = append(args, set.Replace(a))
				}
			}
			command := exec.CommandContext(t.Context(), program, args...)
			command.Env = append(command.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_REGION=eu-west-1",
				"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true")
			output, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if n, err := addresses(t.Context(), client, zone, c.domain); err != nil || n == 0 {
				t.Errorf("%d records of *.%s in the zone %s, %v: external-dns dropped the zone or the names; see extraArgs in k8s/platform/controllers/external-dns.yaml\n%s",
					n, c.domain, c.zone, err, output)
			}
			if n, err := addresses(t.Context(), client, other, c.domain); err != nil || n != 0 {
				t.Errorf("%d records in a zone that is not the environment's, %v\n%s", n, err, output)
			}
		})
	}
}

// externalDNSArguments are the container's arguments as the local environment has them, and that environment's facts.
func externalDNSArguments(t *testing.T) (arguments []string, facts map[string]string) {
	t.Helper()
	const root, environment = "../../..", "local"
	c, err := config.LoadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := manifests.Render(t.Context(), manifests.Options{Root: root}, environment)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			if o.Release == nil || o.Release.Chart != "external-dns" {
				continue
			}
			made, err := o.Release.Objects()
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range made {
				if m.Kind == "Deployment" {
					return containerArguments(t, m.Values), c.Environments[environment].ClusterFacts(config.Placeholders)
				}
			}
		}
	}
	t.Fatal("no Deployment of external-dns was rendered")
	return nil, nil
}

func containerArguments(t *testing.T, deployment map[string]any) []string {
	t.Helper()
	template := deployment["spec"].(map[string]any)["template"].(map[string]any)
	container := template["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	var arguments []string
	for _, a := range container["args"].([]any) {
		arguments = append(arguments, fmt.Sprint(a))
	}
	return arguments
}

// hostedZone makes a public zone and returns its id.
func hostedZone(t *testing.T, client *route53.Client, name string) string {
	t.Helper()
	made, err := client.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: &name, CallerReference: aws.String(t.Name() + name)})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(aws.ToString(made.HostedZone.Id), "/hostedzone/")
}

// addresses counts the A records below a domain.
func addresses(ctx context.Context, client *route53.Client, zone, domain string) (int, error) {
	list, err := client.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	if err != nil {
		return 0, err
	}
	if list.IsTruncated {
		return 0, errors.New("more than one page of records")
	}
	n := 0
	for _, r := range list.ResourceRecordSets {
		if r.Type == "A" && strings.HasSuffix(aws.ToString(r.Name), "."+domain+".") {
			n++
		}
	}
	return n, nil
}
