package pipelines

import (
	"testing"
	"time"
)

func TestStageTook(t *testing.T) {
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	e := &Execution{Actions: []*ActionState{
		{Stage: "Build", Name: "arm64", Started: at(1), Ended: at(7)}, {Stage: "Build", Name: "amd64", Started: at(0), Ended: at(5)},
		{Stage: "Publish", Name: "Publish", Started: at(8)}, {Stage: "Verify", Name: "Verify"},
	}}
	for stage, want := range map[string]time.Duration{"Build": 7 * time.Second, "Publish": 0, "Verify": 0, "Deploy": 0} {
		if got := e.StageTook(stage); got != want {
			t.Errorf("%s: %s, want %s", stage, got, want)
		}
	}
}
