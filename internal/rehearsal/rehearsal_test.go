package rehearsal

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/golden"
)

const base, commit = "1b2c3d4e5f60718293a4b5c6d7e8f90123456789", "aaaabbbbccccddddeeeeffff0000111122223333"

// good is a rehearsal of which nothing is to be said.
func good() *Result {
	stages := func(plan float64) []Stage {
		return []Stage{
			{Name: "Plan", Seconds: plan, State: Succeeded}, {Name: "Test", State: Skipped},
			{Name: "Applications", Seconds: 18.3, State: Succeeded}, {Name: "Release", Seconds: 1, State: Succeeded}, {Name: "Verify", Seconds: 12, State: Succeeded},
		}
	}
	return &Result{
		Environment: "production", Base: base, Commit: commit, Started: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		Merge: Half{Commit: commit, Seconds: 41.2, State: Succeeded, Stages: stages(9.96)}, HeldSeconds: 30,
		Revert: Half{Commit: base, Seconds: 38, State: Succeeded, Stages: stages(6.5)}, Data: []Data{{"orders", 1204300, 84_300_000, 21.3}},
		Observations: Observations{
			Hosts: []Host{
				{Name: "ghost.localhost", URL: "https://ghost.localhost:8443/", Session: Session{Kept: true}, Periods: []Period{
					{Before, 300, 0, 12, 31}, {Merge, 412, 0, 14.6, 80.2}, {Hold, 300, 0, 13, 33}, {Revert, 380, 0, 15, 71}, {After, 10, 0, 12, 30},
				}},
				{Name: "a-service-with-a-rather-long-name.of-a-team.localhost", Added: true, Periods: []Period{{Hold, 15, 0, 2, 3}}},
			},
			Migrations: []Migration{{Where{"orders", "Job", "orders-migrate-7"}, 3.2, Succeeded, 0.4, Merge}},
			AWS:        Changes{Made: []string{"production-orders/Queue4A7E3555 AWS::SQS::Queue"}, Changed: []string{"production-ghost/Database AWS::RDS::DBInstance"}},
			Kubernetes: Changes{Changed: []string{"ghost/Deployment/ghost"}},
		},
	}
}

// bad is one of which everything is to be said.
func bad() *Result {
	r := good()
	r.Merge.State, r.Merge.Stages[4].State, r.Merge.Stages[4].Cause = Failed, Failed, "Deployment ghost/ghost: 1 of 2 replicas is ready: CrashLoopBackOff:\nback-off 10s"
	r.Hosts[0].Periods[1].Lost, r.Hosts[0].Periods[3].Lost = 3, 1
	r.Hosts[0].FirstLost = &Loss{Merge, 18.04, "502 Bad Gateway | <html>"}
	r.Hosts[0].Session = Session{Why: "the cookie ghost-session was given anew", Phase: Merge}
	r.Restarts = []Restart{{Where{"ghost", "Deployment", "ghost"}, "ghost", Merge, 2, "Error, exit code 1"}}
	r.Events = []Event{
		{Where{"ghost", "Deployment", "ghost"}, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 1, Merge, Merge},
		{Where{"ghost", "Ingress", "ghost"}, "FailedBuildModel", "conflicting host", 4, Merge, Hold},
	}
	r.Errors = []LogLine{{Where{"orders", "Deployment", "orders"}, "orders", `level=error msg="the queue @orders does not exist"`, 12, Merge, Revert}}
	r.Migrations[0].LockedSeconds = 61
	r.Refused = []Refusal{{"orders/orders", "arn:aws:iam::000000000000:role/x", "sqs:SendMessage", "arn:aws:sqs:eu-central-1:000000000000:orders", 3}}
	r.AWS.Left, r.Kubernetes.Missing = []string{"production-orders/Queue4A7E3555 AWS::SQS::Queue"}, []string{"orders/ConfigMap/orders"}
	r.Unseen = []string{"the calls of roles: the AWS endpoint answers 503"}
	r.Environment, r.Substitutions = "production", []Substitution{
		{Path: "name", From: "production", To: "local", Why: "the laboratory has this one environment"},
		{Path: "hostedZone", From: `{"id":"Z1"}`, To: "none", Why: "no zone is there before the environment", Changed: true},
	}
	return r
}

// pair is a rehearsal of two pull requests that break in one order.
func pair() *Result {
	one, two := good(), good()
	one.Order, two.Order = []string{"this change", "#12"}, []string{"#12", "this change"}
	one.Second = &Half{Commit: commit, Seconds: 20, State: Succeeded, Stages: []Stage{{Name: "Plan", Seconds: 8, State: Succeeded}, {Name: "Verify", Seconds: 12, State: Succeeded}}}
	two.Second = &Half{Commit: commit, Seconds: 61, State: Failed, Stages: []Stage{{Name: "Plan", Seconds: 8, State: Succeeded}, {Name: "Verify", Seconds: 53, State: Failed, Cause: "Job orders/migrate failed"}}}
	return &Result{Environment: "dev", Base: base, Commit: commit, With: "#12", Orders: []*Result{one, two}}
}

func conflicting() *Result {
	return &Result{Environment: "dev", Base: base, Commit: commit, With: "feature/a-long-name", Conflicts: []Conflict{{"k8s/app.yaml", []string{"this change", "feature/a-long-name"}}}}
}

func failed() *Result {
	return &Result{Environment: "dev", Base: base, Commit: commit, Verdict: CouldNotRun, Cause: "the base did not come up: Deployment ghost/ghost is not ready after 10 minutes"}
}

func TestRenderings(t *testing.T) {
	for name, c := range map[string]struct {
		result *Result
		exit   int
	}{"verified": {good(), ExitVerified}, "broke": {bad(), ExitBroke}, "could-not-run": {failed(), ExitCouldNotRun}, "pair": {pair(), ExitBroke}, "conflict": {conflicting(), ExitBroke}} {
		t.Run(name, func(t *testing.T) {
			c.result.Judge()
			if got := c.result.ExitCode(); got != c.exit {
				t.Errorf("exit code %d, want %d", got, c.exit)
			}
			var table bytes.Buffer
			c.result.Print(&table)
			golden.Compare(t, filepath.Join("testdata", name+".txt"), table.Bytes())
			golden.Compare(t, filepath.Join("testdata", name+".md"), []byte(c.result.Markdown()))
			written, err := json.MarshalIndent(c.result, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("testdata", name+".json"), append(written, '\n'))
			for _, line := range strings.Split(table.String(), "\n") {
				if len([]rune(line)) > 80 {
					t.Errorf("longer than 80 columns: %q", line)
				}
			}
		})
	}
}

// What a program wrote says the same after it is read.
func TestReadFile(t *testing.T) {
	want := bad()
	want.Judge()
	file := filepath.Join(t.TempDir(), "r.json")
	written, _ := json.Marshal(want)
	for name, c := range map[string]struct{ content, err string }{
		"a result":   {string(written), ""},
		"no verdict": {"{}", "verdict must be"},
		"no commit":  {`{"verdict": "verified"}`, "commit must be that of the change where the verdict is verified, got none"},
		"none broke": {`{"verdict": "broke"}`, "commit must be"},
		"no JSON":    {"Rehearsed", "must be the JSON that"},
	} {
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(file)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %v, want %q", name, err, c.err)
		}
		if err == nil && got.Markdown() != want.Markdown() {
			t.Errorf("%s: reads otherwise:\n%s", name, got.Markdown())
		}
	}
	if _, err := ReadFile(file + "x"); err == nil {
		t.Error("a file that is not there is a result")
	}
}

// What has no room is left out from the end: the details, then the findings, and the verdict never.
func TestWithin(t *testing.T) {
	r := bad()
	r.Judge()
	whole := r.Markdown()
	if got := r.Within(len(whole)); got != whole {
		t.Errorf("with room: %s", got)
	}
	finding := "BROKE"
	short := r.Within(len(whole) - 1)
	if !strings.Contains(short, "**"+finding+"**") || strings.Contains(short, "<details>") || !strings.HasSuffix(short, "There is no room for the rest; the JSON of the rehearsal has it.\n") {
		t.Errorf("without details: %s", short)
	}
	none := r.Within(len(short) - 1)
	if strings.Contains(none, finding) || !strings.Contains(none, "Rehearsed: it broke: ") || len(none) >= len(short) {
		t.Errorf("without findings: %s", none)
	}
	r.Cause = strings.Repeat("<", 1<<20)
	if got := r.Within(65536); len(got) > 65536 || !strings.Contains(got, "it broke: &lt;") || !strings.Contains(got, finding) {
		t.Errorf("a long cause: %d bytes", len(got))
	}
}

// Each thing that can go wrong makes the verdict, or is to be looked at.
func TestJudge(t *testing.T) {
	const verified, look, broke = "verified", "look", "broke"
	where := Where{"n", "Deployment", "a"}
	for name, c := range map[string]struct {
		change func(r *Result)
		want   string
		says   string // of the cause, or of the finding
	}{
		"nothing":                    {func(*Result) {}, verified, ""},
		"a stage":                    {func(r *Result) { r.Merge.State, r.Merge.Stages[2].State = Failed, Failed }, broke, "failed: Applications of the merge"},
		"no stage began":             {func(r *Result) { r.Merge = Half{State: Failed, Cause: "the guard"} }, broke, "failed: the merge: the guard"},
		"the revert":                 {func(r *Result) { r.Revert.State = Failed }, broke, "failed: the revert"},
		"the revert was not reached": {func(r *Result) { r.Revert = Half{} }, broke, "failed: the revert"},
		"one request":                {func(r *Result) { r.Hosts[0].Periods[2].Lost = 1 }, broke, "requests lost: ghost.localhost: 1 of 1,102"},
		"the base lost one, too":     {func(r *Result) { r.Hosts[0].Periods[0].Lost, r.Hosts[0].Periods[2].Lost = 1, 1 }, look, "requests lost"},
		"only the base lost one":     {func(r *Result) { r.Hosts[0].Periods[0].Lost = 1 }, verified, ""},
		"a new host, which goes":     {func(r *Result) { lose(&r.Hosts[0], Revert).Added = true }, verified, ""},
		"a new host":                 {func(r *Result) { lose(&r.Hosts[0], Hold).Added = true }, broke, "requests lost: ghost.localhost: 1 of "},
		"a host that goes":           {func(r *Result) { lose(&r.Hosts[0], Merge).Removed = true }, verified, ""},
		"a host that comes back":     {func(r *Result) { lose(&r.Hosts[0], Revert).Removed = true }, broke, "requests lost"},
		"slower":                     {func(r *Result) { r.Hosts[0].Periods[2].P50 = 300 }, look, "slower: ghost.localhost"},
		"slower by a little":         {func(r *Result) { r.Hosts[0].Periods[2].P50 = 200 }, verified, ""},
		"a session":                  {func(r *Result) { r.Hosts[0].Session = Session{Why: "x", Phase: Merge} }, broke, "session lost"},
		"a restart":                  {func(r *Result) { r.Restarts = []Restart{{where, "c", Hold, 1, "OOMKilled"}} }, broke, "restart: n/Deployment/a (c): once in hold: OOMKilled"},
		"an event of the rollout":    {func(r *Result) { r.Events = []Event{{where, "Unhealthy", "m", 3, Merge, Merge}} }, look, "warning"},
		"an event once":              {func(r *Result) { r.Events = []Event{{where, "Unhealthy", "m", 1, Merge, Merge}} }, verified, ""},
		"an event once, when live":   {func(r *Result) { r.Events = []Event{{where, "Unhealthy", "m", 1, Hold, Hold}} }, look, "warning"},
		"an event that stays":        {func(r *Result) { r.Events = []Event{{where, "BackOff", "m", 3, Merge, Hold}} }, broke, "warning: n/Deployment/a: BackOff (3 times): m"},
		"an event of the revert":     {func(r *Result) { r.Events = []Event{{where, "Unhealthy", "m", 3, Revert, Revert}} }, look, "warning"},
		"an error of the rollout":    {func(r *Result) { r.Errors = []LogLine{{where, "c", "m", 3, Merge, Merge}} }, look, "error in log"},
		"an error that stays":        {func(r *Result) { r.Errors = []LogLine{{where, "c", "m", 3, Hold, Hold}} }, broke, "error in log: n/Deployment/a (c): 3 times: m"},
		"an error of the rollout, 1": {func(r *Result) { r.Errors = []LogLine{{where, "c", "m", 1, Revert, Revert}} }, verified, ""},
		"an error once":              {func(r *Result) { r.Errors = []LogLine{{where, "c", "m", 1, Hold, Hold}} }, look, "error in log"},
		"a refusal":                  {func(r *Result) { r.Refused = []Refusal{{"n/a", "r", "s3:GetObject", "", 1}} }, broke, "AWS would refuse: n/a: s3:GetObject (once)"},
		"a migration":                {func(r *Result) { r.Migrations[0].State = Failed }, broke, "migration failed: orders/Job/orders-migrate-7"},
		"no healthy pod": {func(r *Result) {
			r.Unhealthy = []Unhealthy{{Where{"ghost", "Service", "ghost"}, Hold, 10, "it answers 301"}}
		}, broke, "unhealthy: ghost/Service/ghost: no pod passes the load balancer's health check for 10 s from hold on: it answers 301"},
		"no healthy pod for a moment": {func(r *Result) {
			r.Unhealthy = []Unhealthy{{Where{"ghost", "Service", "ghost"}, Merge, 9, "no answer"}}
		}, verified, ""},
		"a lock":            {func(r *Result) { r.Migrations[0].LockedSeconds = 5 }, broke, "migration locks"},
		"a short lock":      {func(r *Result) { r.Migrations[0].LockedSeconds = 4.9 }, verified, ""},
		"something left":    {func(r *Result) { r.AWS.Left = []string{"s/Q"} }, broke, "left behind: s/Q: the revert did not take it back from AWS"},
		"something kept":    {func(r *Result) { r.AWS.Kept = []string{"s/D"} }, look, "kept: s/D"},
		"a stack stays":     {func(r *Result) { r.AWS.Stays = []string{"e-s"} }, look, "stays: stack e-s: no deployment destroys a stack"},
		"something missing": {func(r *Result) { r.Kubernetes.Missing = []string{"n/A/b"} }, broke, "did not come back: n/A/b"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.change(r)
			r.Judge()
			got := map[Verdict]string{Verified: verified, Broke: broke}[r.Verdict]
			if got == verified && len(r.Findings) > 0 {
				got = look
			}
			said := slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.Contains(f.String(), c.says) })
			if got != c.want || c.says != "" && !said || c.want == broke && !strings.Contains(r.Cause, c.says) {
				t.Errorf("got %s, %q, %v; want %s, %q", got, r.Cause, r.Findings, c.want, c.says)
			}
		})
	}
}

// lose has a host lose one request, and its session, in a phase.
func lose(h *Host, phase Phase) *Host {
	h.Periods[slices.IndexFunc(h.Periods, func(p Period) bool { return p.Phase == phase })].Lost = 1
	h.Session = Session{Why: "x", Phase: phase}
	return h
}

// Of two orders the one that broke makes the verdict, whichever it is; one that could not run is no proof.
func TestJudgeOrders(t *testing.T) {
	broken := func(r *Result) { r.Merge = Half{State: Failed, Cause: "the guard"} }
	stuck := func(r *Result) { r.Verdict, r.Cause = CouldNotRun, "the disk is full" }
	none := func(*Result) {}
	for name, c := range map[string]struct {
		first, second func(*Result)
		want          Verdict
		cause         string
	}{
		"neither":                        {none, none, Verified, ""},
		"the first":                      {broken, none, Broke, "a, then b: failed: the merge of a: the guard"},
		"the second":                     {none, broken, Broke, "b, then a: failed: the merge of b: the guard"},
		"both by the same":               {stuck, stuck, CouldNotRun, "in both orders: the disk is full"},
		"the second could not run":       {none, stuck, CouldNotRun, "b, then a: the disk is full"},
		"the second broke, no first":     {stuck, broken, Broke, "b, then a: failed: the merge of b: the guard"},
		"the first broke, and no second": {broken, stuck, Broke, "a, then b: failed: the merge of a: the guard"},
	} {
		one, two := good(), good()
		one.Order, two.Order = []string{"a", "b"}, []string{"b", "a"}
		c.first(one)
		c.second(two)
		r := &Result{With: "b", Orders: []*Result{one, two}}
		r.Judge()
		if r.Verdict != c.want || r.Cause != c.cause {
			t.Errorf("%s: got %s, %q; want %s, %q", name, r.Verdict, r.Cause, c.want, c.cause)
		}
	}
}

// A rehearsal that could not run says nothing of the change, whatever it saw.
func TestJudgeLeavesWhatCouldNotRun(t *testing.T) {
	r := bad()
	r.Verdict, r.Cause = CouldNotRun, "the disk is full"
	r.Judge()
	if r.Verdict != CouldNotRun || r.Headline() != "Not rehearsed: the disk is full" {
		t.Errorf("got %s: %s", r.Verdict, r.Headline())
	}
	if code := (&Result{}).ExitCode(); code != ExitCouldNotRun {
		t.Errorf("without a verdict: exit code %d", code)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		grouped(0): "0", grouped(999): "999", grouped(1117): "1,117", grouped(1234567): "1,234,567", grouped(-1234): "-1,234", grouped(-123): "-123",
		seconds(0): "0 s", seconds(0.44): "0.4 s", seconds(9): "9 s", seconds(9.97): "10 s", seconds(41.4): "41 s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
