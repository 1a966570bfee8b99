package risk

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/review/template"
)

// statement is an Allow of one role.
func statement(actions, resources string, edit ...func(*template.Statement)) template.Statement {
	s := template.Statement{
		Effect: "Allow", Actions: template.Targets{Values: strings.Fields(actions)}, Resources: template.Targets{Values: strings.Fields(resources)},
		Principals: template.Targets{Values: []string{"AWS:${Role}"}},
	}
	for _, e := range edit {
		e(&s)
	}
	return s
}

func deny(s *template.Statement)       { s.Effect = "Deny" }
func notActions(s *template.Statement) { s.Actions.Not = true }
func condition(s *template.Statement) {
	s.Condition = map[string]any{"Bool": map[string]any{"a": "true"}}
}
func other(s *template.Statement) { s.Principals.Values = []string{"AWS:${Other}"} }

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct {
		added, removed []template.Statement
		want           string // of the only finding; empty: none
	}{
		"new":                        {[]template.Statement{statement("s3:Get*", "arn")}, nil, "may now: s3:Get* on arn by AWS:${Role}"},
		"narrower actions":           {[]template.Statement{statement("s3:GetObject", "arn")}, []template.Statement{statement("s3:*", "arn")}, ""},
		"narrower in another case":   {[]template.Statement{statement("S3:getobject", "arn")}, []template.Statement{statement("s3:Get*", "arn")}, ""},
		"narrower resources":         {[]template.Statement{statement("s3:GetObject", "arn:b/x")}, []template.Statement{statement("s3:GetObject", "arn:b/*")}, ""},
		"pattern wider than pattern": {[]template.Statement{statement("s3:Get*", "arn")}, []template.Statement{statement("s3:Get?", "arn")}, "may now: s3:Get* on arn by AWS:${Role}"},
		"one action more":            {[]template.Statement{statement("s3:GetObject s3:PutObject", "arn")}, []template.Statement{statement("s3:GetObject", "arn")}, "may now: s3:PutObject on arn by AWS:${Role}"},
		"one resource more":          {[]template.Statement{statement("s3:GetObject", "a b")}, []template.Statement{statement("s3:GetObject", "a")}, "may now: s3:GetObject on a, b by AWS:${Role}"},
		"merged":                     {[]template.Statement{statement("a:B a:C", "arn")}, []template.Statement{statement("a:B", "arn"), statement("a:C", "arn")}, ""},
		"split":                      {[]template.Statement{statement("a:B", "arn"), statement("a:C", "arn")}, []template.Statement{statement("a:B a:C", "arn")}, ""},
		"to another role":            {[]template.Statement{statement("a:B", "arn", other)}, []template.Statement{statement("a:B", "arn")}, "may now: a:B on arn by AWS:${Other}"},
		"condition added":            {[]template.Statement{statement("a:B", "arn", condition)}, []template.Statement{statement("a:B", "arn")}, ""},
		"condition dropped":          {[]template.Statement{statement("a:B", "*")}, []template.Statement{statement("a:B", "*", condition)}, "may now: a:B on * by AWS:${Role}, without a condition"},
		"all but some":               {[]template.Statement{statement("a:B", "arn", notActions)}, []template.Statement{statement("a:*", "arn")}, "may now: everything but a:B on arn by AWS:${Role}"},
		"the same negation":          {[]template.Statement{statement("a:B", "arn", notActions)}, []template.Statement{statement("a:B", "arn", notActions)}, ""},
		"a denial more":              {[]template.Statement{statement("a:B", "arn", deny)}, nil, ""},
		"a denial less":              {nil, []template.Statement{statement("a:B", "arn", deny)}, "no longer denies a:B on arn by AWS:${Role}"},
		"a denial replaced by wider": {[]template.Statement{statement("a:*", "arn", deny)}, []template.Statement{statement("a:B", "arn", deny)}, ""},
		"a denial hides no allow":    {[]template.Statement{statement("a:B", "arn")}, []template.Statement{statement("a:B", "arn", deny)}, "2 findings"},
		"unreadable":                 {[]template.Statement{{Unparsed: "${If}"}}, nil, "has a new statement that cannot be read before deployment: ${If}"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, statements(Place{"dev", "ghost"}, template.IAM{Added: c.added, Removed: c.removed}), c.want)
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
	rule := func(protocol string, from, to any, cidr string) []template.Rule {
		return []template.Rule{{Group: "${Group.GroupId}", Protocol: protocol, From: from, To: to, Peer: template.Peer{CIDR: cidr}}}
	}
	for name, c := range map[string]struct {
		added, removed []template.Rule
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
			check(t, rules(Place{"dev", "ghost"}, template.Groups{IngressAdded: c.added, IngressRemoved: c.removed}), c.want)
		})
	}
}

func TestHolder(t *testing.T) {
	for want, s := range map[string]template.Statement{
		"Role":   statement("a:B", "arn"),
		"Bucket": {Principals: template.Targets{Values: []string{"AWS:*"}}, Resources: template.Targets{Values: []string{"${Bucket.Arn}/*"}}},
		"policy": {Resources: template.Targets{Values: []string{"*"}}},
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
