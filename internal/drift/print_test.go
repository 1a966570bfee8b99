package drift

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

const table = `dev: 2 differences, and 1 thing not looked at.

STATE      OBJECT, AND WHAT TO DO
deleted    dev-network/Log
           AWS::Logs::LogGroup /aws/vpc
           -> make it again
changed    dev-network/Vpc
           AWS::EC2::VPC vpc-1
           /EnableDnsHostnames: expected true, is false
           /Tags/2: expected nothing, is a
           -> write the change into the repository, or take it back:
           docs/guides/drift.md#a-resource-of-a-stack
unseen     charts
           no route

CloudFormation does not compare resources of AWS::CDK::Metadata.
`

// The worst is first, nothing is wider than a terminal, and each has a remedy.
func TestPrint(t *testing.T) {
	check := func(what string, run func(*Found) error) Check {
		return Check{what, func(_ context.Context, found *Found) error { return run(found) }}
	}
	r := look(t,
		check("charts", func(*Found) error { return errors.New("no\nroute") }),
		check("stacks", func(f *Found) error {
			f.note("CloudFormation does not compare resources of %s.", "AWS::CDK::Metadata")
			f.add(Finding{
				State: Changed, Half: AWS, Object: "dev-network/Vpc", Detail: "AWS::EC2::VPC vpc-1", Do: "write the change into the repository, or take it back: docs/guides/drift.md#a-resource-of-a-stack",
				Differences: []Difference{{"/EnableDnsHostnames", "true", "false"}, {"/Tags/2", "", "a"}},
			}, Finding{State: Deleted, Half: AWS, Object: "dev-network/Log", Detail: "AWS::Logs::LogGroup /aws/vpc", Do: "make it again"})
			return nil
		}),
	)
	var out bytes.Buffer
	if r.Print(&out); out.String() != table {
		t.Errorf("got\n%s\nwant\n%s", out.String(), table)
	}
	out.Reset()
	r.Findings[0].Detail = strings.Repeat("x", 200) + " " + strings.Repeat("ö ", 200)
	r.Findings[0].Differences = []Difference{{Path: "/Policy", Expected: strings.Repeat("y", 1000)}}
	r.Print(&out)
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.Count(out.String(), "y") > 400 {
		t.Error("a long value fills the table")
	}
	out.Reset()
	if (&Report{Environment: "dev"}).Print(&out); out.String() != "dev: 0 differences.\n" {
		t.Errorf("%q", out.String())
	}
}

func TestCode(t *testing.T) {
	for want, r := range map[int]Report{
		0: {Notes: []string{"a"}}, 1: {Findings: []Finding{{}}, Unseen: []Unseen{{}}}, 2: {Unseen: []Unseen{{}}},
	} {
		if got := r.Code(); got != want {
			t.Errorf("%+v: %d, want %d", r, got, want)
		}
	}
}
