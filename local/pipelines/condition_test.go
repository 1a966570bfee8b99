package pipelines

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOperators(t *testing.T) {
	for _, c := range []struct {
		operator, variable, value string
		want                      bool
		problem                   string
	}{
		{"EQ", "a", "a", true, ""},
		{"EQ", "ab", "a", false, ""},
		{"NE", "ab", "a", true, ""},
		{"NE", "a", "a", false, ""},
		{"CONTAINS", "xay", "a", true, ""},
		{"CONTAINS", "xy", "a", false, ""},
		{"MATCHES", "release-12", "release-[0-9]+", true, ""},
		{"MATCHES", "release", "release-[0-9]+", false, ""},
		{"MATCHES", "a release-12", "release-[0-9]+", false, `matches a part of "a release-12"`},
		{"MATCHES", "a release-12", ".*release-[0-9]+", true, ""},
		{"MATCHES", "b", "^(a|b)$", true, ""},
		{"MATCHES", "ab", "^(a|b)$", false, ""},
		{"MATCHES", "a", "(", false, "missing closing"},
	} {
		got, err := operators[c.operator](c.variable, c.value)
		if got != c.want || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s %s %s: %t, %v", c.variable, c.operator, c.value, got, err)
		}
	}
}

// exports is a buildspec that sets variables for later actions.
func exports(commands ...string) string {
	names := make([]string, len(commands))
	for i, c := range commands {
		name, _, _ := strings.Cut(c, "=")
		names[i], commands[i] = name, "export "+c
	}
	return "env: {exported-variables: [" + strings.Join(names, ", ") + "]}\n" + spec(commands...)
}

// A condition decides about its own stage, by the variables of any build before it.
func TestEntryConditions(t *testing.T) {
	for name, c := range map[string]struct {
		result string
		rules  []Rule
		status Status
		middle Status // of the stage with the condition
		reason string
	}{
		"met":                  {"SKIP", []Rule{rule("#{plan.NETWORK}", "EQ", "true")}, Succeeded, Succeeded, ""},
		"met by all":           {"FAIL", []Rule{rule("#{plan.NETWORK}", "EQ", "true"), rule("#{more.WHERE}-#{Source.BranchName}", "EQ", "here-main")}, Succeeded, Succeeded, ""},
		"skipped":              {"SKIP", []Rule{rule("#{plan.NETWORK}", "NE", "true")}, Succeeded, Skipped, `rule Check: #{plan.NETWORK} must be NE "true", got "true"`},
		"one of two fails":     {"SKIP", []Rule{rule("#{plan.NETWORK}", "EQ", "true"), rule("#{more.WHERE}", "CONTAINS", "there")}, Succeeded, Skipped, `rule Check: #{more.WHERE} must be CONTAINS "there", got "here"`},
		"failed":               {"FAIL", []Rule{rule("#{more.WHERE}", "MATCHES", "t.*")}, Failed, Failed, `stage Network is not entered: rule Check: #{more.WHERE} must be MATCHES "t.*", got "here"`},
		"no such variable":     {"SKIP", []Rule{rule("#{plan.CLUSTER}", "EQ", "true")}, Failed, Failed, "stage Network: rule Check: #{plan.CLUSTER} is not set by an earlier action"},
		"a part of a variable": {"SKIP", []Rule{rule("#{more.WHERE}", "MATCHES", "her")}, Failed, Failed, `stage Network: rule Check: "her" matches a part of "here"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			plan, more := w.project("plan", exports("NETWORK=true")), w.project("more", exports("WHERE=here"))
			network := entry(stage("Network", w.project("network", spec(`touch "$OUT/network"`))), c.result, c.rules...)
			w.define("p", "QUEUED", "", stage("Plan", plan, more), network, stage("Cluster", w.project("cluster", spec(`touch "$OUT/cluster"`))))
			w.start()
			e := w.wait("p", w.push(map[string]string{"p/1": ""}), c.status)
			for file, want := range map[string]bool{"network": c.middle == Succeeded, "cluster": c.status == Succeeded} {
				if _, err := os.Stat(filepath.Join(w.dir, file)); (err == nil) != want {
					t.Errorf("%s ran: %t, want %t", file, err == nil, want)
				}
			}
			middle := e.stage("Network")
			if middle.Status != c.middle || !strings.HasPrefix(middle.Reason, c.reason) {
				t.Errorf("%+v, want %s %s", middle, c.middle, c.reason)
			}
			if c.status == Failed && (e.Reason != middle.Reason || len(e.Stages) != 3 || e.Stage != "Network") {
				t.Errorf("%+v", e)
			}
			if ran := slices.ContainsFunc(e.Actions, func(a *ActionState) bool { return a.Stage == "Network" }); ran != (c.middle == Succeeded) {
				t.Errorf("the action of %s stage ran: %t", middle.Status, ran)
			}
		})
	}
}

// The stages are as they were under another runner: none is entered again or judged again.
func TestStagesOutliveTheRunner(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "",
		stage("Plan", w.project("plan", exports("NETWORK=false"))),
		entry(stage("Network", w.project("network", spec(`touch "$OUT/network"`))), "SKIP", rule("#{plan.NETWORK}", "EQ", "true")),
		entry(stage("Approve", approval("Approve")), "SKIP", rule("#{plan.NETWORK}", "EQ", "false")),
		entry(stage("Cluster", w.project("cluster", spec("true"))), "SKIP", rule("#{plan.NETWORK}", "EQ", "true")))
	w.start()
	c := w.push(map[string]string{"p/1": ""})
	said := func(e *Execution) string {
		var all []string
		for _, s := range e.Stages {
			all = append(all, s.Name+" "+string(s.Status))
		}
		return strings.Join(all, ", ")
	}
	const waits = "Source Succeeded, Plan Succeeded, Network Skipped, Approve InProgress"
	if got := said(w.wait("p", c, Waiting)); got != waits {
		t.Errorf("got %s, want %s", got, waits)
	}
	w.stop()
	w.start()
	if _, _, err := Decide(w.root, "p", Decision{Approved: true, By: "me"}); err != nil {
		t.Fatal(err)
	}
	e := w.wait("p", c, Succeeded)
	if got, want := said(e), "Source Succeeded, Plan Succeeded, Network Skipped, Approve Succeeded, Cluster Skipped"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := strings.Join(e.Skipped(), " "); got != "Network Cluster" || e.Stage != "Cluster" {
		t.Errorf("skipped %s, last stage %s", got, e.Stage)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "network")); err == nil {
		t.Error("a skipped stage ran")
	}
}

// An approver reads what several builds exported, within CodePipeline's limits.
func TestApprovalsValues(t *testing.T) {
	for name, c := range map[string]struct {
		data, link, want string
	}{
		"of two builds": {"#{plan.TEXT} #{more.TEXT}", "https://x/#{more.TEXT}", ""},
		"too long":      {strings.Repeat("#{plan.TEXT}", 251), "https://x", "Approve: CustomData: must have at most 1000 characters, got 1004"},
		"a long link":   {"a", "https://" + strings.Repeat("x", 990) + "#{plan.TEXT}", "Approve: ExternalEntityLink: must have at most 1000 characters, got 1002"},
		"unset":         {"#{plan.NONE}", "", "Approve: CustomData: #{plan.NONE} is not set by an earlier action"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := approval("Approve")
			a.Configuration = map[string]any{"CustomData": c.data, "ExternalEntityLink": c.link}
			w.define("p", "QUEUED", "", stage("Plan", w.project("plan", exports("TEXT=viel")), w.project("more", exports("TEXT=more"))), stage("Approve", a))
			w.start()
			commit := w.push(map[string]string{"p/1": ""})
			if c.want != "" {
				if e := w.wait("p", commit, Failed); !strings.HasPrefix(e.Reason, c.want) {
					t.Errorf("got %q, want %q", e.Reason, c.want)
				}
				return
			}
			if s := w.wait("p", commit, Waiting).waits(); s.Reason != "viel more" || s.Link != "https://x/more" {
				t.Errorf("%+v", s)
			}
			if _, _, err := Decide(w.root, "p", Decision{Approved: true, Summary: strings.Repeat("é", maxSummary+1)}); err == nil || !strings.Contains(err.Error(), "at most 512 characters, got 513") {
				t.Errorf("a long summary: %v", err)
			}
		})
	}
}
