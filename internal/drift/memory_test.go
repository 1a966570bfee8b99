package drift

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	vpc    = Finding{State: Changed, Half: AWS, Object: "dev-network/Vpc", Detail: "AWS::EC2::VPC vpc-1", Differences: []Difference{{"/EnableDnsHostnames", "true", "false"}}, Do: "take it back", Check: "stacks"}
	log    = Finding{State: Deleted, Half: AWS, Object: "dev-network/Log", Detail: "AWS::Logs::LogGroup /aws/vpc", Do: "make it again", Check: "stacks"}
	late   = Finding{State: Behind, Half: Kubernetes, Object: "Kustomization apps", Detail: "is not ready: waits", Do: "wait", Check: "Flux"}
	broken = Finding{State: Failing, Half: Kubernetes, Object: "Kustomization apps", Detail: "BuildFailed: after 12s", Do: "correct the cause", Check: "Flux"}
	hand   = Finding{State: Changed, Half: Kubernetes, Object: "Deployment ghost/ghost", Manager: "kubectl-edit", Fields: []string{".spec.replicas"}, Detail: "at 11:59Z", Do: "none", Check: "objects"}
)

// saw is a report of two checks, and of a third for objects.
func saw(unseen []Unseen, findings ...Finding) *Report {
	return &Report{Environment: "dev", Findings: findings, Unseen: unseen, Checks: []string{"Flux", "objects", "stacks"}}
}

// Each row is a look; what it tells is the subject of the message, and what the message must say.
func TestSince(t *testing.T) {
	forbidden := func(what, check string) []Unseen { return []Unseen{{what, "no right", check}} }
	with := func(f Finding, change func(*Finding)) Finding { change(&f); return f }
	type look struct {
		report  *Report
		subject string
		says    []string
	}
	for name, looks := range map[string][]look{
		"the same twice": {
			{saw(nil, vpc), "dev: 1 new difference from the repository", []string{"changed    dev-network/Vpc", "expected true, is false", "-> take it back"}},
			{saw(nil, vpc), "", nil}, {saw(nil, vpc), "", nil},
			{saw(nil), "dev: well again, no difference from the repository", []string{"Over: dev-network/Vpc."}},
			{saw(nil), "", nil},
		},
		"one that comes back": {
			{saw(nil, vpc), "dev: 1 new difference from the repository", nil}, {saw(nil), "dev: well again, no difference from the repository", nil},
			{saw(nil, vpc), "dev: 1 new difference from the repository", nil},
		},
		"one more, then one less": {
			{saw(nil, vpc), "dev: 1 new difference from the repository", nil},
			{saw(nil, vpc, log), "dev: 1 new difference from the repository", []string{"dev-network/Log", "1 difference of which you know is left"}},
			{saw(nil, log), "", nil},
			{saw(nil, vpc, log), "dev: 1 new difference from the repository", []string{"dev-network/Vpc"}},
			{saw(nil), "dev: well again, no difference from the repository", []string{"Over: dev-network/Log, dev-network/Vpc."}},
		},
		"another value": {
			{saw(nil, vpc), "dev: 1 new difference from the repository", nil},
			{saw(nil, with(vpc, func(f *Finding) { f.Differences = []Difference{{"/EnableDnsSupport", "true", "false"}} })), "dev: 1 new difference from the repository", []string{"/EnableDnsSupport", "Over: dev-network/Vpc"}},
		},
		"the same by other words": {
			{saw(nil, broken, hand), "dev: 2 new differences from the repository", nil},
			{saw(nil, with(broken, func(f *Finding) { f.Detail = "BuildFailed: after 13s" }), with(hand, func(f *Finding) { now := time.Now(); f.At, f.Detail, f.Do = &now, "at 12:01Z", "else" })), "", nil},
		},
		"two details of one state": {
			{saw(nil, broken, with(broken, func(f *Finding) { f.Detail = "another" })), "dev: 2 new differences from the repository", nil},
			{saw(nil, broken), "", nil},
		},
		"a release passes": {
			{saw(nil, late), "", nil}, {saw(nil), "", nil},
			{saw(nil, late), "", nil}, {saw(nil, with(late, func(f *Finding) { f.Detail = "is at 1, the released commit is 2" })), "dev: 1 new difference from the repository", nil},
			{saw(nil, late), "", nil},
		},
		"a look that saw nothing is not well again": {
			{saw(nil, vpc), "dev: 1 new difference from the repository", nil},
			{saw(forbidden("stacks", "stacks")), "", nil},
			{saw(forbidden("stacks", "stacks")), "dev: 1 thing not looked at", []string{"unseen     stacks", "1 difference of which you know is left"}},
			{saw(nil, vpc), "", nil},
			{saw(nil), "dev: well again, no difference from the repository", nil},
		},
		"half a look ends what it saw": {
			{saw(nil, vpc), "dev: 1 new difference from the repository", nil},
			{saw(forbidden("charts", "charts")), "dev: no difference any more, but 1 thing not looked at", []string{"Over: dev-network/Vpc."}},
		},
		"an object hides itself alone": {
			{saw(nil, vpc, log), "dev: 2 new differences from the repository", nil},
			{saw(forbidden("dev-network/Log", "stacks"), log), "", nil},
			{saw(forbidden("dev-network/Log", "stacks")), "dev: 1 thing not looked at", []string{"1 difference of which you know is left"}},
		},
		"a check that did not run": {
			{saw(nil, vpc), "dev: 1 new difference from the repository", nil},
			{&Report{Environment: "dev", Checks: []string{"Flux"}}, "", nil},
			{saw(nil, vpc), "", nil},
		},
		"blind for a moment": {{saw(forbidden("stacks", "stacks")), "", nil}, {saw(nil), "", nil}, {saw(forbidden("stacks", "stacks")), "", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			memory, now := Memory{}, time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
			for i, l := range looks {
				news, after := l.report.Since(memory, now.Add(time.Duration(i)*time.Hour))
				memory = after
				subject, text := "", ""
				if news != nil {
					subject, text = news.Subject("dev"), news.Text("dev")
				}
				if subject != l.subject {
					t.Fatalf("look %d: %q, want %q; %s", i+1, subject, l.subject, text)
				}
				for _, want := range l.says {
					if !strings.Contains(text, want) {
						t.Errorf("look %d: %q is not in\n%s", i+1, want, text)
					}
				}
			}
		})
	}
}

// A message fits: a subject of 100 ASCII characters, a text of 256 KiB.
func TestMessageFits(t *testing.T) {
	var many []Finding
	for range 2000 {
		f := vpc
		f.Object += strings.Repeat("ä", len(many)%200)
		f.Fields = []string{strings.Repeat("x", len(many))}
		many = append(many, f)
	}
	news, _ := saw(nil, many...).Since(Memory{}, time.Now())
	environment := strings.Repeat("e", 20)
	if s := news.Subject(environment); len(s) > 100 || slices.ContainsFunc([]rune(s), func(r rune) bool { return r > 126 || r < 32 }) {
		t.Errorf("subject %q", s)
	}
	if text := news.Text(environment); len(text) > 256<<10 || !strings.Contains(text, "There is more: see all of it with bin/gitops drift "+environment+".") {
		t.Errorf("%d bytes", len(text))
	}
}

func TestParseMemory(t *testing.T) {
	if b, k, err := ParseMemory("s3://bucket/drift/dev.json"); err != nil || b != "bucket" || k != "drift/dev.json" {
		t.Errorf("%s %s %v", b, k, err)
	}
	for _, bad := range []string{"", "bucket/key", "s3://bucket", "s3:///key", "s3://bucket/", "https://bucket/key"} {
		if _, _, err := ParseMemory(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
