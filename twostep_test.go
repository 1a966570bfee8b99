package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// step is an update of an environment: its templates by stack name, before and after a change of the configuration.
type step struct{ before, after map[string]template }

// finding is what would go wrong, or be lost, when CloudFormation makes the update.
type finding struct {
	Stack, ID, Type string
	// What is the mechanism and the remedy.
	What string
}

func (f finding) String() string { return f.Stack + "/" + f.ID + " (" + f.Type + "): " + f.What }

// identities are what makes two resources one, where CloudFormation's schemas do not say it: AWS makes their primary
// identifier itself. A second create either fails, or answers with the resource that exists, which the delete then removes.
var identities = map[string][]string{
	"AWS::EC2::Route":                       {"RouteTableId", "DestinationCidrBlock", "DestinationPrefixListId"},
	"AWS::EC2::SecurityGroupEgress":         {"GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "DestinationSecurityGroupId"},
	"AWS::EC2::SecurityGroupIngress":        {"GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "SourceSecurityGroupId"},
	"AWS::EC2::Subnet":                      {"VpcId", "CidrBlock"},
	"AWS::EC2::SubnetRouteTableAssociation": {"SubnetId"},
	"AWS::EC2::VPCEndpoint":                 {"VpcId", "ServiceName"},
	"AWS::EKS::PodIdentityAssociation":      {"ClusterName", "Namespace", "ServiceAccount"},
	"AWS::IAM::Policy":                      {"PolicyName", "Roles"},
	"AWS::SNS::Subscription":                {"TopicArn", "Protocol", "Endpoint"},
	"Custom::AWSCDK-EKS-HelmChart":          {"ClusterName", "Namespace", "Release"},
	"Custom::AWSCDK-EKS-KubernetesResource": {"ClusterName", "Manifest"},
}

// findings compares as CloudFormation does, by logical id.
func (s step) findings(t testing.TB) []finding {
	t.Helper()
	var found []finding
	gone := map[string]finding{} // by identity
	for stack, before := range s.before {
		for id, old := range before.Resources {
			now, stays := s.after[stack].Resources[id]
			f := finding{Stack: stack, ID: id, Type: old.Type}
			switch {
			case !stays || now.Type != old.Type:
				for _, identity := range identitiesOf(t, old) {
					gone[identity] = f
					if old.DeletionPolicy == "Retain" {
						f.What = "in its own way: it outlives the template, and fails with AlreadyExists when it comes back, " + identity + "; let it go with the template"
						found = append(found, f)
					}
				}
				if stays {
					f.What = "replacement: the type becomes " + now.Type + "; give the new resource an id of its own"
					found = append(found, f)
				}
			default:
				if changed := createOnlyChanges(t, old, now); len(changed) > 0 {
					f.What = "replacement: CloudFormation cannot change " + strings.Join(changed, ", ") + " of a resource that exists; derive the id from it, or keep it as it is"
					found = append(found, f)
				}
			}
		}
	}
	found = append(found, s.collisions(t, gone)...)
	found = append(found, s.exports()...)
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.String(), b.String()) })
	return found
}

// collisions finds two resources with one identity: one that is made beside one that goes, or two of the templates after
// the change.
func (s step) collisions(t testing.TB, gone map[string]finding) []finding {
	t.Helper()
	var found []finding
	seen := map[string]string{}
	for _, stack := range slices.Sorted(maps.Keys(s.after)) {
		for _, id := range slices.Sorted(maps.Keys(s.after[stack].Resources)) {
			r := s.after[stack].Resources[id]
			for _, identity := range identitiesOf(t, r) {
				f := finding{Stack: stack, ID: id, Type: r.Type}
				if other, twice := seen[identity]; twice {
					f.What = "two resources with one primary identifier: " + other + " has it, too, " + identity + "; make one of them"
					found = append(found, f)
				}
				seen[identity] = stack + "/" + id
				old, was := s.before[stack].Resources[id]
				fresh := !was || !slices.Contains(identitiesOf(t, old), identity)
				if other, taken := gone[identity]; taken && fresh {
					f.What = "two resources with one primary identifier: it is made before " + other.Stack + "/" + other.ID + " is deleted, and fails with AlreadyExists, " + identity + "; derive the id from the identifier"
					found = append(found, f)
				}
			}
		}
	}
	return found
}

// exports finds exports that go or change while the stacks before the change still import them: CloudFormation refuses
// that, and the stack that exports is updated first.
func (s step) exports() []finding {
	var found []finding
	for stack, before := range s.before {
		for id, output := range before.Outputs {
			name, _ := get(output, "Export", "Name").(string)
			if name == "" || text(s.after[stack].Outputs[id]) == text(output) {
				continue
			}
			for importer, parsed := range s.before {
				if strings.Contains(string(parsed.raw), `"Fn::ImportValue": "`+name+`"`) {
					found = append(found, finding{Stack: stack, ID: id, Type: "Output", What: "an export cannot change or go while " + importer + " imports it, " + name + "; update that stack first"})
				}
			}
		}
	}
	return found
}

// createOnlyChanges lists the properties that differ and that only a new resource can have.
func createOnlyChanges(t testing.TB, old, now resource) []string {
	t.Helper()
	if !strings.HasPrefix(old.Type, "AWS::") {
		return nil
	}
	facts := factsOf(t, old.Type)
	var changed []string
	for _, path := range facts.CreateOnly {
		steps := strings.Split(path, "/")
		if text(property(old.Properties, steps)) != text(property(now.Properties, steps)) {
			changed = append(changed, path)
		}
	}
	return changed
}

// property follows a path of names; * is every element of a list.
func property(value any, path []string) any {
	if len(path) == 0 {
		return value
	}
	if path[0] != "*" {
		return property(get(value, path[0]), path[1:])
	}
	var all []any
	for _, element := range asList(value) {
		all = append(all, property(element, path[1:]))
	}
	return all
}

// identitiesOf are the identifiers that the template gives to a resource; none if AWS makes them all.
func identitiesOf(t testing.TB, r resource) []string {
	t.Helper()
	var lists [][]string
	if list, known := identities[r.Type]; known {
		lists = append(lists, list)
	}
	if strings.HasPrefix(r.Type, "AWS::") {
		facts := factsOf(t, r.Type)
		lists = append(lists, facts.AdditionalIdentifiers...)
		if !slices.ContainsFunc(facts.PrimaryIdentifier, func(name string) bool { return r.Properties[name] == nil }) {
			lists = append(lists, facts.PrimaryIdentifier)
		}
	}
	var found []string
	for _, list := range lists {
		parts := []string{r.Type}
		for _, name := range list {
			value := r.Properties[name]
			if name == "Manifest" {
				value = objectsOf(parseManifest(t, value))
			}
			if value != nil {
				parts = append(parts, name+" "+text(value))
			}
		}
		if len(parts) > 1 {
			found = append(found, strings.Join(parts, ", "))
		}
	}
	return found
}

// objectsOf names the Kubernetes objects of a manifest.
func objectsOf(objects any) []string {
	var names []string
	for _, object := range asList(objects) {
		names = append(names, fmt.Sprint(get(object, "kind"), " ", get(object, "metadata", "namespace"), "/", get(object, "metadata", "name")))
	}
	return names
}

// factsOf is what CloudFormation's schema says about a type.
func factsOf(t testing.TB, name string) awsdata.Resource {
	t.Helper()
	facts, err := awsdata.Type(name)
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// A comparison finds each kind of mistake, and nothing in what is harmless.
func TestTwoStepComparison(t *testing.T) {
	entry := func(principal, policy string) resource {
		return resource{Type: "AWS::EKS::AccessEntry", Properties: map[string]any{"ClusterName": "dev", "PrincipalArn": principal, "AccessPolicies": policy}}
	}
	role := resource{Type: "AWS::IAM::Role", Properties: map[string]any{"RoleName": "dev-ghost"}}
	stack := func(resources map[string]resource) map[string]template {
		return map[string]template{"dev-cluster": {Resources: resources}}
	}
	for _, c := range []struct {
		name          string
		before, after map[string]resource
		want          string
	}{
		{"nothing", map[string]resource{"A": role}, map[string]resource{"A": role}, ""},
		{"another right", map[string]resource{"A": entry("x", "view")}, map[string]resource{"A": entry("x", "admin")}, ""},
		{"one goes, another comes", map[string]resource{"A": entry("x", "view")}, map[string]resource{"B": entry("y", "view")}, ""},
		{"numbered", map[string]resource{"A1": entry("x", "view"), "A2": entry("y", "view")}, map[string]resource{"A1": entry("y", "view")}, "cannot change PrincipalArn"},
		{"renamed", map[string]resource{"A": entry("x", "view")}, map[string]resource{"B": entry("x", "view")}, "made before dev-cluster/A is deleted"},
		{"twice", map[string]resource{}, map[string]resource{"A": entry("x", "view"), "B": entry("x", "admin")}, "dev-cluster/A has it, too"},
		{"another type", map[string]resource{"A": role}, map[string]resource{"A": entry("x", "view")}, "the type becomes AWS::EKS::AccessEntry"},
		{"kept", map[string]resource{"A": {Type: role.Type, Properties: role.Properties, DeletionPolicy: "Retain"}}, map[string]resource{}, "in its own way"},
		{"fixed name", map[string]resource{"A": role}, map[string]resource{"B": role}, "RoleName"},
	} {
		var all []string
		for _, f := range (step{stack(c.before), stack(c.after)}).findings(t) {
			all = append(all, f.String())
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
