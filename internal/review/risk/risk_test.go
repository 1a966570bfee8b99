package risk

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// statement is an Allow of one role.
func statement(actions, resources string, edit ...func(*cfndiff.Statement)) cfndiff.Statement {
	s := cfndiff.Statement{
		Effect: "Allow", Actions: cfndiff.Targets{Values: strings.Fields(actions)}, Resources: cfndiff.Targets{Values: strings.Fields(resources)},
		Principals: cfndiff.Targets{Values: []string{"AWS:${Role}"}},
	}
	for _, e := range edit {
		e(&s)
	}
	return s
}

func deny(s *cfndiff.Statement)       { s.Effect = "Deny" }
func notActions(s *cfndiff.Statement) { s.Actions.Not = true }
func condition(s *cfndiff.Statement) {
	s.Condition = map[string]any{"Bool": map[string]any{"a": "true"}}
}
func other(s *cfndiff.Statement) { s.Principals.Values = []string{"AWS:${Other}"} }

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct {
		added, removed []cfndiff.Statement
		want           string // of the only finding; empty: none
	}{
		"new":                        {[]cfndiff.Statement{statement("s3:Get*", "arn")}, nil, "may now: s3:Get* on arn by AWS:${Role}"},
		"narrower actions":           {[]cfndiff.Statement{statement("s3:GetObject", "arn")}, []cfndiff.Statement{statement("s3:*", "arn")}, ""},
		"narrower in another case":   {[]cfndiff.Statement{statement("S3:getobject", "arn")}, []cfndiff.Statement{statement("s3:Get*", "arn")}, ""},
		"narrower resources":         {[]cfndiff.Statement{statement("s3:GetObject", "arn:b/x")}, []cfndiff.Statement{statement("s3:GetObject", "arn:b/*")}, ""},
		"pattern wider than pattern": {[]cfndiff.Statement{statement("s3:Get*", "arn")}, []cfndiff.Statement{statement("s3:Get?", "arn")}, "may now: s3:Get* on arn by AWS:${Role}"},
		"one action more":            {[]cfndiff.Statement{statement("s3:GetObject s3:PutObject", "arn")}, []cfndiff.Statement{statement("s3:GetObject", "arn")}, "may now: s3:PutObject on arn by AWS:${Role}"},
		"one resource more":          {[]cfndiff.Statement{statement("s3:GetObject", "a b")}, []cfndiff.Statement{statement("s3:GetObject", "a")}, "may now: s3:GetObject on a, b by AWS:${Role}"},
		"merged":                     {[]cfndiff.Statement{statement("a:B a:C", "arn")}, []cfndiff.Statement{statement("a:B", "arn"), statement("a:C", "arn")}, ""},
		"split":                      {[]cfndiff.Statement{statement("a:B", "arn"), statement("a:C", "arn")}, []cfndiff.Statement{statement("a:B a:C", "arn")}, ""},
		"to another role":            {[]cfndiff.Statement{statement("a:B", "arn", other)}, []cfndiff.Statement{statement("a:B", "arn")}, "may now: a:B on arn by AWS:${Other}"},
		"condition added":            {[]cfndiff.Statement{statement("a:B", "arn", condition)}, []cfndiff.Statement{statement("a:B", "arn")}, ""},
		"condition dropped":          {[]cfndiff.Statement{statement("a:B", "*")}, []cfndiff.Statement{statement("a:B", "*", condition)}, "may now: a:B on * by AWS:${Role}, without a condition"},
		"all but some":               {[]cfndiff.Statement{statement("a:B", "arn", notActions)}, []cfndiff.Statement{statement("a:*", "arn")}, "may now: everything but a:B on arn by AWS:${Role}"},
		"the same negation":          {[]cfndiff.Statement{statement("a:B", "arn", notActions)}, []cfndiff.Statement{statement("a:B", "arn", notActions)}, ""},
		"a denial more":              {[]cfndiff.Statement{statement("a:B", "arn", deny)}, nil, ""},
		"a denial less":              {nil, []cfndiff.Statement{statement("a:B", "arn", deny)}, "no longer denies a:B on arn by AWS:${Role}"},
		"a denial replaced by wider": {[]cfndiff.Statement{statement("a:*", "arn", deny)}, []cfndiff.Statement{statement("a:B", "arn", deny)}, ""},
		"a denial hides no allow":    {[]cfndiff.Statement{statement("a:B", "arn")}, []cfndiff.Statement{statement("a:B", "arn", deny)}, "2 findings"},
		"unreadable":                 {[]cfndiff.Statement{{Unparsed: "${If}"}}, nil, "has a new statement that cannot be read before deployment: ${If}"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, statements(Place{"dev", "ghost"}, cfndiff.IAM{Added: c.added, Removed: c.removed}), c.want)
		})
	}
}

// What knows no limit needs an entry, as what loses data does.
func TestBoundless(t *testing.T) {
	anybody := func(s *cfndiff.Statement) { s.Principals.Values = []string{"AWS:*"} }
	for name, c := range map[string]struct {
		added, removed []cfndiff.Statement
		policy         string
		want           bool
	}{
		"everything":                      {added: []cfndiff.Statement{statement("*", "*")}, want: true},
		"a service":                       {added: []cfndiff.Statement{statement("s3:GetObject s3:*", "*")}, want: true},
		"a service, which it had":         {added: []cfndiff.Statement{statement("ec2:Describe* s3:*", "*")}, removed: []cfndiff.Statement{statement("s3:*", "*")}},
		"a service on one resource":       {added: []cfndiff.Statement{statement("s3:*", "arn")}},
		"a service under a condition":     {added: []cfndiff.Statement{statement("s3:*", "*", condition)}},
		"all but some":                    {added: []cfndiff.Statement{statement("iam:CreateUser", "*", notActions)}, want: true},
		"every role":                      {added: []cfndiff.Statement{statement("sts:assumerole", "*")}, want: true},
		"some actions on all":             {added: []cfndiff.Statement{statement("ec2:Describe*", "*")}},
		"anybody":                         {added: []cfndiff.Statement{statement("s3:GetObject", "arn", anybody)}, want: true},
		"anybody under a condition":       {added: []cfndiff.Statement{statement("s3:GetObject", "arn", anybody, condition)}},
		"an administrator":                {policy: "arn:aws:iam::aws:policy/AdministratorAccess", want: true},
		"a policy of one's own, so named": {policy: "arn:aws:iam::111111111111:policy/team/AdministratorAccess"},
		"a reader":                        {policy: "arn:aws:iam::aws:policy/ReadOnlyAccess"},
	} {
		t.Run(name, func(t *testing.T) {
			iam := cfndiff.IAM{Added: c.added, Removed: c.removed}
			if c.policy != "" {
				iam.PoliciesAdded = []cfndiff.ManagedPolicy{{Identity: "${Role}", Policy: c.policy}}
			}
			found := statements(Place{"dev", "ghost"}, iam)
			if len(found) != 1 || found[0].Guarded != c.want {
				t.Errorf("%+v", found)
			}
		})
	}
}

// check compares the only finding.
func check(t *testing.T, found []Finding, want string) {
	t.Helper()
	got := ""
	switch len(found) {
	case 0:
	case 1:
		got = found[0].Message
	default:
		got = "2 findings"
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRules(t *testing.T) {
	rule := func(protocol string, from, to any, cidr string) []cfndiff.Rule {
		return []cfndiff.Rule{{Group: "${Group.GroupId}", Protocol: protocol, From: from, To: to, Peer: cfndiff.Peer{CIDR: cidr}}}
	}
	for name, c := range map[string]struct {
		added, removed []cfndiff.Rule
		want           string
	}{
		"new":              {rule("tcp", 80.0, 80.0, "10.0.0.0/8"), nil, "lets tcp 80 through from 10.0.0.0/8"},
		"world":            {rule("tcp", 80.0, 90.0, "::/0"), nil, "lets tcp 80-90 through from anywhere (::/0)"},
		"narrower block":   {rule("tcp", 80.0, 80.0, "10.1.0.0/16"), rule("tcp", 80.0, 80.0, "10.0.0.0/8"), ""},
		"wider block":      {rule("tcp", 80.0, 80.0, "10.0.0.0/8"), rule("tcp", 80.0, 80.0, "10.1.0.0/16"), "lets tcp 80 through from 10.0.0.0/8"},
		"narrower ports":   {rule("tcp", 81.0, 82.0, "10.0.0.0/8"), rule("tcp", 80.0, 90.0, "10.0.0.0/8"), ""},
		"another protocol": {rule("udp", 80.0, 80.0, "10.0.0.0/8"), rule("tcp", 80.0, 80.0, "10.0.0.0/8"), "lets udp 80 through from 10.0.0.0/8"},
		"from everything":  {rule("udp", 80.0, 80.0, "10.0.0.0/8"), rule("-1", nil, nil, "10.0.0.0/8"), ""},
		"to everything":    {rule("-1", nil, nil, "10.0.0.0/8"), rule("tcp", 80.0, 80.0, "10.0.0.0/8"), "lets everything through from 10.0.0.0/8"},
		"port by name":     {rule("tcp", "${Db.Port}", "${Db.Port}", "10.0.0.0/8"), rule("tcp", "${Db.Port}", "${Db.Port}", "10.0.0.0/8"), ""},
		"port of another":  {rule("tcp", "${Db.Port}", "${Db.Port}", "10.0.0.0/8"), rule("tcp", 3306.0, 3306.0, "10.0.0.0/8"), "lets tcp ${Db.Port} through from 10.0.0.0/8"},
		"nobody":           {rule("icmp", 252.0, 86.0, "255.255.255.255/32"), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, rules(Place{"dev", "ghost"}, cfndiff.Groups{IngressAdded: c.added, IngressRemoved: c.removed}), c.want)
		})
	}
}

func TestHolder(t *testing.T) {
	for want, s := range map[string]cfndiff.Statement{
		"Role":   statement("a:B", "arn"),
		"Bucket": {Principals: cfndiff.Targets{Values: []string{"AWS:*"}}, Resources: cfndiff.Targets{Values: []string{"${Bucket.Arn}/*"}}},
		"policy": {Resources: cfndiff.Targets{Values: []string{"*"}}},
	} {
		if got := holder(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPublicBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		config any
		want   string
	}{
		"private":  {map[string]any{"EndpointPublicAccess": false}, ""},
		"everyone": {map[string]any{"EndpointPublicAccess": true}, "0.0.0.0/0"},
		"default":  {map[string]any{}, "0.0.0.0/0"},
		"some":     {map[string]any{"PublicAccessCidrs": []any{"192.0.2.0/24"}}, "192.0.2.0/24"},
		"nothing":  {nil, ""},
	} {
		if got := strings.Join(publicBlocks(c.config), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
