package plan

import (
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/risk"
)

var stages = []Stage{{"Network", []string{"network"}}, {"Applications", []string{config.RestStacks}}, {"Cluster", []string{"cluster"}}}

// stack is a stack with one resource that differs.
func stack(part string, impact cfndiff.Impact, kind, nameKey, name string) review.Stack {
	properties := map[string]any{"Properties": map[string]any{nameKey: name}}
	r := cfndiff.Resource{ID: "Thing", Type: kind, Impact: impact}
	if impact != cfndiff.Create {
		r.Old = properties
	}
	if impact != cfndiff.Destroy {
		r.New = properties
	}
	return review.Stack{Part: part, Name: "dev-" + part, Diff: cfndiff.Diff{Resources: []cfndiff.Resource{r}}}
}

// uses is a manifest that names something.
func uses(name string) manifests.Rendered {
	return manifests.Rendered{Kustomizations: []manifests.Kustomization{{Name: "apps", Objects: []manifests.Object{{
		Kind: "ExternalSecret", Name: "shop", Values: map[string]any{"spec": map[string]any{"key": name}},
	}}}}}
}

func TestDecide(t *testing.T) {
	const secret = "/dev/shop/database"
	gone := stack("shop", cfndiff.Destroy, "AWS::SecretsManager::Secret", "Name", secret)
	queue := stack("orders", cfndiff.Destroy, "AWS::SQS::Queue", "QueueName", "dev-orders")
	told := func(name string) manifests.Rendered {
		r := uses(name)
		r.Kustomizations[0].Name = "services/orders"
		return r
	}
	made := stack("network", cfndiff.Create, "AWS::S3::Bucket", "BucketName", "dev-something-else")
	for name, c := range map[string]struct {
		environment review.Environment
		unfit       map[string]bool
		rollback    bool
		services    []string
		deploy      []string
		order       Order
		refusal     string
	}{
		"nothing differs": {order: AWSFirst},
		"one application": {
			environment: review.Environment{Stacks: []review.Stack{stack("shop", cfndiff.Update, "AWS::S3::Bucket", "BucketName", "dev-shop-files")}},
			deploy:      []string{"Applications"}, order: AWSFirst,
		},
		"a stack whose last deployment failed": {unfit: map[string]bool{"dev-cluster": true}, deploy: []string{"Cluster"}, order: AWSFirst},
		"forbidden": {
			environment: review.Environment{Findings: []risk.Finding{{Resource: "dev/ghost/Database", Message: "is replaced", Verdict: risk.Forbidden, Note: "add to allowReplacement"}}},
			order:       AWSFirst, refusal: "dev/ghost/Database",
		},
		"allowed": {
			environment: review.Environment{Findings: []risk.Finding{{Resource: "dev/ghost/Database", Verdict: risk.Allowed}}}, order: AWSFirst,
		},
		"removed in both halves": {
			environment: review.Environment{Stacks: []review.Stack{gone}, Before: uses(secret)},
			deploy:      []string{"Applications"}, order: KubernetesFirst,
		},
		"removed in both halves, where a rollback may bring one back": {
			environment: review.Environment{Stacks: []review.Stack{gone}, Before: uses(secret)}, rollback: true,
			deploy: []string{"Applications"}, order: AWSFirst, refusal: "first what no longer uses it",
		},
		"removed, and what is released used it no more": {
			environment: review.Environment{Stacks: []review.Stack{gone}}, rollback: true, deploy: []string{"Applications"}, order: AWSFirst,
		},
		"removed and still used": {
			environment: review.Environment{Stacks: []review.Stack{gone}, Before: uses(secret), After: uses(secret)},
			deploy:      []string{"Applications"}, order: AWSFirst, refusal: "a manifest of this commit uses",
		},
		"removed, and nothing used it": {
			environment: review.Environment{Stacks: []review.Stack{gone}}, deploy: []string{"Applications"}, order: AWSFirst,
		},
		"the role of pods goes, where a rollback may bring them back": {
			environment: review.Environment{Stacks: []review.Stack{stack("cluster", cfndiff.Destroy, "AWS::EKS::PodIdentityAssociation", "Namespace", "shop")}},
			rollback:    true, deploy: []string{"Cluster"}, order: KubernetesFirst,
		},
		"the role of pods goes, and something comes": {
			environment: review.Environment{Stacks: []review.Stack{made, stack("cluster", cfndiff.Destroy, "AWS::EKS::PodIdentityAssociation", "Namespace", "shop")}},
			deploy:      []string{"Network", "Cluster"}, order: AWSFirst,
		},
		"moved to another resource": {
			environment: review.Environment{Stacks: []review.Stack{gone, stack("ghost", cfndiff.Create, "AWS::SecretsManager::Secret", "Name", secret)}, Before: uses(secret), After: uses(secret)},
			deploy:      []string{"Applications"}, order: AWSFirst,
		},
		"a service's queue goes with what told its pods of it": {
			environment: review.Environment{Stacks: []review.Stack{queue}, Before: told("dev-orders"), After: told("dev-orders-files")},
			services:    []string{"orders"}, deploy: []string{"Applications"}, order: KubernetesFirst,
		},
		"a service's queue goes, where a rollback may bring its use back": {
			environment: review.Environment{Stacks: []review.Stack{queue}, Before: told("dev-orders")}, rollback: true,
			services: []string{"orders"}, deploy: []string{"Applications"}, order: KubernetesFirst,
		},
		"a service's queue goes and its bucket comes": {
			environment: review.Environment{Stacks: []review.Stack{queue, made}, Before: told("dev-orders")},
			services:    []string{"orders"}, deploy: []string{"Network", "Applications"}, order: AWSFirst, refusal: "dev/orders/Thing must go after",
		},
		"a service's queue goes, and another manifest uses it": {
			environment: review.Environment{Stacks: []review.Stack{queue}, After: uses("dev-orders")},
			services:    []string{"orders"}, deploy: []string{"Applications"}, order: KubernetesFirst, refusal: "a manifest of this commit uses",
		},
		"one goes and another comes": {
			environment: review.Environment{Stacks: []review.Stack{gone, made}, Before: uses(secret)},
			deploy:      []string{"Network", "Applications"}, order: KubernetesFirst, refusal: "two pull requests",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.environment.Name = "dev"
			p := &Plan{Deploy: map[string][]string{}, Order: AWSFirst, Services: c.services, Review: &review.Review{Environments: []review.Environment{c.environment}}}
			env := config.Environment{Delivery: config.Delivery{ConnectionARN: "arn", Gate: true, Rollback: c.rollback}}
			p.decide(Options{Env: env, Stages: stages}, c.unfit)
			for _, s := range stages {
				if len(p.Deploy[s.Name]) > 0 != slices.Contains(c.deploy, s.Name) {
					t.Errorf("stage %s deploys: %v", s.Name, p.Deploy[s.Name])
				}
			}
			said := strings.Join(p.Refusals, "\n")
			if p.Order != c.order || (said == "") != (c.refusal == "") || !strings.Contains(said, c.refusal) {
				t.Errorf("order %s, refusals %q; want %s, %q", p.Order, said, c.order, c.refusal)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	for name, c := range map[string]struct {
		plan Plan
		want string
	}{
		"deploys":   {Plan{Deploy: map[string][]string{"Applications": {"ghost", "shop"}, "Cluster": nil}, Order: AWSFirst}, "APPLICATIONS=deploy\nAPPLICATIONS_STACKS='ghost shop'\nCLUSTER=skip\nCLUSTER_STACKS=''\nFIRST=aws\nRELEASE=yes\nSERVICES=''\nSNAPSHOTS=''\n"},
		"publishes": {Plan{Order: AWSFirst, Services: []string{"npm", "orders"}}, "FIRST=aws\nRELEASE=yes\nSERVICES='npm orders'\nSNAPSHOTS=''\n"},
		"passed": {
			Plan{Deploy: map[string][]string{"Network": {"network"}}, Order: AWSFirst, Release: release.Result{Outcome: release.Passed}},
			"FIRST=aws\nNETWORK=skip\nNETWORK_STACKS='network'\nRELEASE=no\nSERVICES=''\nSNAPSHOTS=''\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := c.plan.Variables(&out); err != nil || out.String() != c.want {
				t.Errorf("got %q, %v", out.String(), err)
			}
		})
	}
}

func TestParseStage(t *testing.T) {
	if s, err := ParseStage("Applications=ghost,shop"); err != nil || s.Name != "Applications" || !slices.Equal(s.Stacks, []string{"ghost", "shop"}) {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, bad := range []string{"", "Network", "=network", "Net work=network"} {
		if _, err := ParseStage(bad); err == nil || !strings.Contains(err.Error(), "--stage") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
