package pipelines

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// clock is one that stands still until somebody sets it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// saturday is two days before a Monday.
var saturday = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func windowOf(cron, zone string) Rule {
	return Rule{Name: "Open", RuleTypeID: ActionType{"Rule", "AWS", "DeploymentWindow", "1"}, Configuration: map[string]any{"Cron": cron, "TimeZone": zone}}
}

// Hours and days are those of the time zone, also where its clock is changed: there are two hours from 2 to 3 on 2026-10-25 in
// Berlin, and none on 2026-03-29.
func TestWindows(t *testing.T) {
	const office = "* * 9-16 ? * MON,TUE"
	for _, c := range []struct {
		cron, zone, at string
		open           bool
		opens          string
	}{
		{office, "Europe/Berlin", "2026-11-30T07:59:59Z", false, "Mon 2026-11-30 09:00 CET"},
		{office, "Europe/Berlin", "2026-11-30T08:00:00Z", true, "Mon 2026-11-30 09:00 CET"},
		{office, "Europe/Berlin", "2026-11-30T15:59:59Z", true, "Mon 2026-11-30 16:59 CET"},
		{office, "Europe/Berlin", "2026-11-30T16:00:00Z", false, "Tue 2026-12-01 09:00 CET"},
		{office, "America/New_York", "2026-11-30T15:00:00Z", true, "Mon 2026-11-30 10:00 EST"},
		{office, "", "2026-12-02T12:00:00Z", false, "Mon 2026-12-07 09:00 UTC"},
		{"* * * ? * SUN", "Europe/Berlin", "2026-11-28T22:59:59Z", false, "Sun 2026-11-29 00:00 CET"},
		{"* * 0-23 ? * *", "UTC", "2026-11-28T22:59:59Z", true, "Sat 2026-11-28 22:59 UTC"},
		{"* * 2-2 ? * *", "Europe/Berlin", "2026-10-25T00:30:00Z", true, "Sun 2026-10-25 02:30 CEST"},
		{"* * 2-2 ? * *", "Europe/Berlin", "2026-10-25T01:30:00Z", true, "Sun 2026-10-25 02:30 CET"},
		{"* * 2-2 ? * SUN", "Europe/Berlin", "2026-03-29T00:30:00Z", false, "Sun 2026-04-05 02:00 CEST"},
	} {
		w, problem := readWindow(windowOf(c.cron, c.zone).Configuration)
		at, err := time.Parse(time.RFC3339, c.at)
		if problem != "" || err != nil {
			t.Fatal(problem, err)
		}
		if open, opens := w.open(at), w.opens(at).Format(windowTime); open != c.open || opens != c.opens {
			t.Errorf("%s in %q at %s: open %t, opens %s; want %t, %s", c.cron, c.zone, c.at, open, opens, c.open, c.opens)
		}
	}
}

// An execution waits for its window, under another runner too, and those behind it wait for it.
func TestWaitsForTheWindow(t *testing.T) {
	w, c := newWorld(t), &clock{at: saturday}
	w.config.now = c.now
	w.define("p", "QUEUED", "",
		entry(stage("Window", w.project("window", spec("true"))), "FAIL", windowOf("* * 9-16 ? * MON", "Europe/Berlin")),
		stage("Deploy", w.project("deploy", spec(`cat p/1 >> "$OUT/deployed"`))))
	w.start()
	first := w.push(map[string]string{"p/1": "first "})
	if e := w.wait("p", first, Held); e.Opens() != "opens Mon 2026-11-30 09:00 CET" || !e.Rests() || e.Stage != "Window" {
		t.Errorf("opens %s, rests %t, in %s", e.Opens(), e.Rests(), e.Stage)
	}
	second := w.push(map[string]string{"p/1": "second "})
	w.waitStage("p", second, "Window")
	waits := func(commit string, status Status) []types.RuleExecutionStatus {
		out, err := w.api().ListRuleExecutions(t.Context(), &codepipeline.ListRuleExecutionsInput{
			PipelineName: aws.String("p"), Filter: &types.RuleExecutionFilter{PipelineExecutionId: &w.wait("p", commit, status).ID},
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []types.RuleExecutionStatus
		for _, r := range out.RuleExecutionDetails {
			all = append(all, r.Status)
		}
		return all
	}
	if one, two := waits(first, Held), waits(second, InProgress); !slices.Equal(one, []types.RuleExecutionStatus{"InProgress"}) || len(two) > 0 {
		t.Errorf("rules of the first: %q, of the second, which is before the stage: %q", one, two)
	}
	w.stop()
	opens := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	c.set(opens.Add(-time.Second))
	w.start()
	w.wait("p", first, Held)
	c.set(opens)
	e := w.wait("p", first, Succeeded)
	if s := e.stage("Window"); s.Reason != "" || s.Override != nil {
		t.Errorf("%+v", s)
	}
	w.wait("p", second, Succeeded) // the window is still open
	if one := waits(first, Succeeded); !slices.Equal(one, []types.RuleExecutionStatus{"Succeeded"}) {
		t.Errorf("rules of the first: %q", one)
	}
	if got, err := os.ReadFile(filepath.Join(w.dir, "deployed")); err != nil || string(got) != "first second " {
		t.Errorf("deployed %q, %v", got, err)
	}
}

// Somebody lets an execution in before its window opens, and its history says who and why.
func TestOverride(t *testing.T) {
	w, c := newWorld(t), &clock{at: saturday}
	w.config.now = c.now
	w.define("p", "QUEUED", "", entry(stage("Window", w.project("window", spec("true"))), "FAIL", windowOf("* * 9-16 ? * MON", "")))
	w.start()
	if _, _, err := Override(w.root, "", Decision{By: "me"}); err == nil || !strings.Contains(err.Error(), "nothing waits for a window") {
		t.Errorf("got %v", err)
	}
	commit := w.push(map[string]string{"p/1": ""})
	w.wait("p", commit, Held)
	if _, _, err := Decide(w.root, "p", Decision{By: "me", Approved: true}); err == nil || !strings.Contains(err.Error(), "no execution of p waits for an approval") {
		t.Errorf("an approval opens the window: %v", err)
	}
	w.stop() // what is decided meanwhile counts
	if _, s, err := Override(w.root, "p", Decision{By: "me", Summary: "the shop is down"}); err != nil || s.Name != "Window" {
		t.Fatal(s, err)
	}
	w.start()
	s := w.wait("p", commit, Succeeded).stage("Window")
	if s.Override == nil || s.Override.By != "me" || s.Reason != "overridden by me: the shop is down" {
		t.Errorf("%+v", s)
	}
}

// A condition of variables is judged before anybody waits.
func TestWindowBehindAVariable(t *testing.T) {
	w, c := newWorld(t), &clock{at: saturday}
	w.config.now = c.now
	w.define("p", "QUEUED", "", entry(stage("Window", w.project("window", spec("true"))), "FAIL", windowOf("* * 9-16 ? * MON", ""), rule("#{Source.BranchName}", "EQ", "other")))
	w.start()
	if e := w.wait("p", w.push(map[string]string{"p/1": ""}), Failed); !strings.HasPrefix(e.Reason, "stage Window is not entered") {
		t.Errorf("got %q", e.Reason)
	}
}
