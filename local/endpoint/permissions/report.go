package permissions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// Path is where the AWS endpoint tells what was noted.
const Path = "/_local/permissions"

// Grant is a role that a ServiceAccount's pods have, with its policies.
type Grant struct {
	ServiceAccount string // namespace/name
	Role           string // ARN
	Policies       []Policy
}

// Verdict is what a role asked for and what it may.
type Verdict struct {
	ServiceAccount string `json:"serviceAccount"`
	Role           string `json:"role"`
	Calls          []Call `json:"calls"`
	// Refused are the calls that AWS would have refused.
	Refused []Call `json:"refused"`
	// Unused are the granted actions that no call needed.
	Unused []string `json:"unused"`
	// Granted is how many actions the policies name.
	Granted int `json:"granted"`
}

// Judge holds the calls of each role against its policies. Calls of roles that
// are not given, because they are gone, say nothing.
func Judge(grants []Grant, calls []Call) []Verdict {
	verdicts := make([]Verdict, 0, len(grants))
	for _, g := range grants {
		v := Verdict{ServiceAccount: g.ServiceAccount, Role: g.Role, Calls: []Call{}, Refused: []Call{}, Unused: []string{}}
		for _, c := range calls {
			if c.Role != g.Role {
				continue
			}
			v.Calls = append(v.Calls, c)
			if !allows(g.Policies, c) {
				v.Refused = append(v.Refused, c)
			}
		}
		all := granted(g.Policies)
		v.Granted = len(all)
		for _, action := range all {
			if !slices.ContainsFunc(v.Calls, func(c Call) bool { return matches(strings.ToLower(action), strings.ToLower(c.Action)) }) {
				v.Unused = append(v.Unused, action)
			}
		}
		verdicts = append(verdicts, v)
	}
	slices.SortFunc(verdicts, func(a, b Verdict) int { return cmp.Compare(a.ServiceAccount, b.ServiceAccount) })
	return verdicts
}

// Refused is an error that names every call that AWS would have refused.
func Refused(verdicts []Verdict) error {
	var problems []error
	for _, v := range verdicts {
		for _, c := range v.Refused {
			problems = append(problems, fmt.Errorf("%s calls %s on %s, which the policy of %s does not allow; add it where the role is made (infrastructure/addons, app-resources)",
				v.ServiceAccount, c.Action, cmp.Or(c.Resource, "*"), v.Role[strings.LastIndex(v.Role, "/")+1:]))
		}
	}
	return errors.Join(problems...)
}

// Grants reads the roles of all Pod Identity associations and their policies.
func Grants(ctx context.Context, c aws.Config) ([]Grant, error) {
	clusters, roles := eks.NewFromConfig(c), iam.NewFromConfig(c)
	list, err := clusters.ListClusters(ctx, &eks.ListClustersInput{})
	if err != nil {
		return nil, err
	}
	var grants []Grant
	for _, name := range list.Clusters {
		pages := eks.NewListPodIdentityAssociationsPaginator(clusters, &eks.ListPodIdentityAssociationsInput{ClusterName: aws.String(name)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, a := range page.Associations {
				described, err := clusters.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: aws.String(name), AssociationId: a.AssociationId})
				if err != nil {
					return nil, err
				}
				g := Grant{ServiceAccount: aws.ToString(a.Namespace) + "/" + aws.ToString(a.ServiceAccount), Role: aws.ToString(described.Association.RoleArn)}
				if g.Policies, err = policiesOf(ctx, roles, g.Role); err != nil {
					return nil, fmt.Errorf("%s: %w", g.Role, err)
				}
				grants = append(grants, g)
			}
		}
	}
	return grants, nil
}

// Reader reads the policies of roles.
func Reader(c aws.Config) func(ctx context.Context, role string) ([]Policy, error) {
	client := iam.NewFromConfig(c)
	return func(ctx context.Context, role string) ([]Policy, error) { return policiesOf(ctx, client, role) }
}

// policiesOf reads a role's policies, those in it and the managed ones.
func policiesOf(ctx context.Context, client *iam.Client, arn string) ([]Policy, error) {
	role := aws.String(arn[strings.LastIndex(arn, "/")+1:])
	names, err := client.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: role})
	if err != nil {
		return nil, err
	}
	var all []Policy
	for _, name := range names.PolicyNames {
		out, err := client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: role, PolicyName: aws.String(name)})
		if err != nil {
			return nil, err
		}
		if all, err = appendPolicy(all, name, out.PolicyDocument); err != nil {
			return nil, err
		}
	}
	attached, err := client.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role})
	if err != nil {
		return nil, err
	}
	for _, managed := range attached.AttachedPolicies {
		policy, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: managed.PolicyArn})
		if err != nil {
			return nil, err
		}
		out, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: managed.PolicyArn, VersionId: policy.Policy.DefaultVersionId})
		if err != nil {
			return nil, err
		}
		if all, err = appendPolicy(all, aws.ToString(managed.PolicyName), out.PolicyVersion.Document); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// appendPolicy reads a document, which IAM returns as in a URL.
func appendPolicy(all []Policy, name string, document *string) ([]Policy, error) {
	text, err := url.QueryUnescape(aws.ToString(document))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return append(all, p), nil
}

// Noted asks the AWS endpoint for the calls that it noted.
func Noted(ctx context.Context, endpoint string) ([]Call, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+Path, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", Path, resp.Status)
	}
	var calls []Call
	return calls, json.NewDecoder(resp.Body).Decode(&calls)
}

// Write writes the verdicts as text, a paragraph for each role: what its pods
// called, then what was granted and never used.
func Write(w io.Writer, verdicts []Verdict) {
	for i, v := range verdicts {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, v.ServiceAccount)
		if len(v.Calls) > 0 {
			fmt.Fprintln(w, "  CALLS  POLICY   ACTION")
		}
		for _, c := range byAction(v.Calls) {
			word := "allows"
			if slices.ContainsFunc(v.Refused, func(r Call) bool { return r.Action == c.Action }) {
				word = "REFUSES"
			}
			fmt.Fprintf(w, "%7d  %-7s  %s\n", c.Count, word, c.Action)
		}
		fmt.Fprintf(w, "  granted and never used: %d of %d\n", len(v.Unused), v.Granted)
		for _, action := range v.Unused {
			fmt.Fprintf(w, "%18s%s\n", "", action)
		}
	}
}

// byAction adds up the calls of one role over resources.
func byAction(calls []Call) []Call {
	var all []Call
	for _, c := range calls {
		if i := slices.IndexFunc(all, func(a Call) bool { return a.Action == c.Action }); i >= 0 {
			all[i].Count += c.Count
			continue
		}
		all = append(all, Call{Action: c.Action, Count: c.Count})
	}
	return all
}
