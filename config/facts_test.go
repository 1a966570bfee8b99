package config

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/internal/rdsca"
)

// ownCA is what an environment may give instead of the certificates of its region.
var ownCA = base64.StdEncoding.EncodeToString(rdsca.Bundle("us-east-1"))

func TestClusterFacts(t *testing.T) {
	for name, c := range map[string]struct {
		edits map[string]any
		want  map[string]string // of the facts
	}{
		"named zone": {nil, map[string]string{"VPC_ID": "vpc-1", "VPC_CIDR": "10.20.0.0/16", "HOSTED_ZONE_ID": "Z0123456789DEV", "GIT_URL": "https://github.com/my-company/platform.git"}},
		"made zone":  {dev("hostedZone", absent{}), map[string]string{"HOSTED_ZONE_ID": "ZMADE"}},
		"defaults": {dev("network", absent{}), map[string]string{
			"VPC_CIDR": "10.0.0.0/16", "GIT_PROVIDER": "generic", "GHOST_MAIL": "ses", "GHOST_MAIL_FROM": "noreply@ghost.dev.example.com", "GHOST_MAIL_PORT": "587", "IMAGE_UPDATE_BRANCH": "main",
		}},
		"no alerts": {nil, map[string]string{"ALERTS_WEBHOOK": "none", "ALERTS_STATUS": "none", "ALERTS_SNS": "none"}},
		"alerts":    {dev("alerts", map[string]any{"webhook": "slack", "commitStatus": true}), map[string]string{"ALERTS_WEBHOOK": "webhook", "ALERTS_PROVIDER": "slack", "ALERTS_STATUS": "github"}},
		"alerts by SNS": {map[string]any{"gitops/environments/dev/alerts": map[string]any{"sns": true}, "gitops/environments/dev/delivery": map[string]any{"connectionArn": connection("111111111111")}},
			map[string]string{"ALERTS_SNS": "topic", "ALERTS_SNS_ADDRESS": "https://a.example.com/"}},
		"GitHub App": {set("gitops/repository/credentials", "githubApp"), map[string]string{"GIT_PROVIDER": "github"}},
		"China": {map[string]any{
			"gitops/environments/dev/region": "cn-north-1", "gitops/environments/dev/ghost/mail/transport": "none", "gitops/environments/dev/cluster/admins": []string{},
		}, map[string]string{"AWS_PARTITION": "aws-cn", "IMAGE_REGISTRY": "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn", "GHOST_MAIL": "none"}},
		"its own":                    {dev("facts", map[string]string{"CHARTS_URL": "https://charts.example.com/"}), map[string]string{"CHARTS_URL": "https://charts.example.com/", "DOMAIN": "dev.example.com"}},
		"pull requests":              {dev("delivery", map[string]any{"connectionArn": connection("111111111111"), "imageUpdates": "pullRequest"}), map[string]string{"IMAGE_UPDATE_BRANCH": "image-updates/dev", "GIT_BRANCH": "main"}},
		"certificates of its own":    {dev("facts", map[string]string{"DATABASE_CA": ownCA}), map[string]string{"DATABASE_CA": ownCA}},
		"certificates unknown":       {map[string]any{"gitops/environments/dev/region": "il-central-1"}, map[string]string{"DATABASE_CA": ""}},
		"nobody asks for signatures": {nil, map[string]string{"IMAGE_UPDATE_COMMITS": "unsigned"}},
		"Flux signs what it commits": {map[string]any{
			"gitops/repository/verify": []string{"keys/alice.asc"}, "gitops/environments/dev/delivery": map[string]any{"connectionArn": connection("111111111111")},
		}, map[string]string{"IMAGE_UPDATE_COMMITS": "signed"}},
		"who merges signs": {map[string]any{
			"gitops/repository/verify": []string{"keys/alice.asc"}, "gitops/environments/dev/delivery": map[string]any{"connectionArn": connection("111111111111"), "imageUpdates": "pullRequest"},
		}, map[string]string{"IMAGE_UPDATE_COMMITS": "unsigned"}},
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := Load(context(t, c.edits))
			if err != nil {
				t.Fatal(err)
			}
			got := loaded.Environments["dev"].ClusterFacts(Deployed{VPCID: "vpc-1", HostedZoneID: "ZMADE", AlertsAddress: "https://a.example.com/"})
			for variable, want := range c.want {
				if got[variable] != want {
					t.Errorf("%s is %q, want %q", variable, got[variable], want)
				}
			}
		})
	}
}

func TestLocalFacts(t *testing.T) {
	want := map[string]string{
		"PUBLIC_PORT": ":8443", "DATABASE_SSL": `{"ca":"-----BEGIN\nx\n"}`, "DATABASE_CA": "LS0tLS1CRUdJTgp4Cg==",
		"IMAGE_REGISTRY": "registry.localhost", "IMAGE_REGISTRY_PROVIDER": "generic", "IMAGE_REGISTRY_INSECURE": "true",
	}
	if diff := cmp.Diff(want, LocalFacts(Machine{Port: 8443, Registry: "registry.localhost", CA: "-----BEGIN\nx\n"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Pods of an environment know the servers of its region, and of no other.
func TestDatabaseCA(t *testing.T) {
	loaded, err := Load(context(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := base64.StdEncoding.DecodeString(loaded.Environments["dev"].DatabaseCA())
	if err != nil {
		t.Fatal(err)
	}
	roots, err := rdsca.Parse(pem)
	if err != nil || len(roots) != 3 || roots[0].Region != "eu-west-1" || strings.Count(string(pem), "BEGIN CERTIFICATE") != 3 {
		t.Errorf("%d roots of %v, %v", len(roots), roots, err)
	}
}
