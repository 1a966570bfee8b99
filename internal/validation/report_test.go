package validation

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		path, other string
		want        bool
	}{
		{"dev/network/VPC/FlowLog", "dev/network/VPC/FlowLog", true},
		{"dev/network/VPC/FlowLog/Resource", "production/network/VPC/FlowLog", true},
		{"dev/network/VPC/FlowLogs", "dev/network/VPC/FlowLog", false},
		{"dev/network/Bucket", "dev/network/VPC/FlowLog", false},
		{"", "dev/network/VPC/FlowLog", false},
	} {
		if got := within(c.path, c.other); got != c.want {
			t.Errorf("within(%q, %q) = %v", c.path, c.other, got)
		}
	}
}

func TestReports(t *testing.T) {
	dir := t.TempDir()
	if found, err := Overlooked(dir); err != nil || found != nil {
		t.Errorf("without a report: %v, %v", found, err)
	}
	file := filepath.Join(dir, "validation-report.json")
	for content, want := range map[string][]string{
		`{"pluginReports": [{"suppressedViolations": [{"ruleName": "F1", "description": "d", "severity": "error", "acknowledgedAt": "dev/a",
			"violatingConstructs": [{"constructPath": "dev/a/b"}, {"constructPath": "dev/c"}]}]}]}`: {"dev/c: F1: d; only dev/a may"},
		`{"pluginReports": [{"suppressedViolations": [{"ruleName": "W1", "description": "d", "severity": "warning", "acknowledgedAt": "dev/a",
			"violatingConstructs": [{"constructPath": "dev/c"}]}]}]}`: nil,
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := Overlooked(dir); err != nil || !slices.Equal(found, want) {
			t.Errorf("got %v, %v, want %v", found, err, want)
		}
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Overlooked(dir); err == nil {
		t.Error("a report that is cut passes")
	}
}
