package pipelines

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local)
	log := filepath.Join(t.TempDir(), "Test-Test.log")
	if err := os.WriteFile(log, []byte(strings.Repeat("before\n", 50)+"\x1b[31mit is wrong\x1b[0m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := []*Execution{
		{ID: "11111111-", Pipeline: "local-deploy", Status: InProgress, Commit: "0123456789", Stage: "Approve", Started: now.Add(-90 * time.Second),
			Actions: []*ActionState{{Name: "Approve", Status: Waiting, Reason: "Commit 0123456789", Link: "file:///diff.log"}}},
		{ID: "22222222-", Pipeline: "local-dockerbuild", Status: Queued, Commit: "0123456789"},
		{ID: "33333333-", Pipeline: "local-dockerbuild", Status: Failed, Commit: "abcdef", Stage: "Test", Started: now.Add(-2 * time.Minute), Ended: now.Add(-time.Minute), Reason: "Test: phase build",
			Actions: []*ActionState{{Name: "Test", Status: Failed, Log: log}}},
		{ID: "44444444-", Pipeline: "local-deploy", Status: Succeeded, Commit: "abcdef", Stage: "Applications", Started: now.Add(-2 * time.Minute), Ended: now.Add(-time.Minute),
			Stages: []*StageState{{Name: "Plan", Status: Succeeded}, {Name: "Network", Status: Skipped}, {Name: "Applications", Status: Succeeded}, {Name: "Cluster", Status: Skipped}}},
		{ID: "77777777-", Pipeline: "local-deploy", Type: typeRollback, RollbackTarget: "99999999-", Failed: "88888888-", Status: Queued, Commit: "abcdef", Stage: "Release"},
		{ID: "55555555-", Pipeline: "production-deploy", Status: InProgress, Commit: "abcdef", Stage: "Window", Started: now.Add(-time.Minute),
			Stages: []*StageState{{Name: "Window", Status: Held, Reason: "opens Mon 2026-01-05 09:00 CET"}}},
		{ID: "66666666-", Pipeline: "production-deploy", Status: Succeeded, Commit: "abcdef", Stage: "Window", Started: now.Add(-time.Minute), Ended: now,
			Stages: []*StageState{{Name: "Window", Status: Succeeded, Reason: "overridden by me: the shop is down", Override: &Decision{By: "me"}}}},
	}
	var b bytes.Buffer
	Write(&b, all, now)
	for _, want := range []string{
		"PIPELINE               ID        STATUS              STAGE         COMMIT    STARTED         DURATION  SKIPPED\n",
		"local-deploy           11111111  WaitingForApproval  Approve       01234567  15:02:35        1m30s\n",
		"local-dockerbuild      22222222  Queued              -             01234567  -               -\n",
		"local-dockerbuild      33333333  Failed              Test          abcdef    15:02:05        1m0s\n",
		"local-deploy           44444444  Succeeded           Applications  abcdef    15:02:05        1m0s      Network, Cluster\n",
		"\nlocal-deploy 11111111 waits for `gitops local approve local-deploy` [--reject]\n  Commit 0123456789\n  file:///diff.log\n",
		"\nlocal-deploy 77777777 is a rollback of stage Release to 99999999: 88888888 failed\n",
		"production-deploy      55555555  WaitingForWindow    Window        abcdef    15:03:05        1m0s\n",
		"\nproduction-deploy 55555555 waits for its window, which opens Mon 2026-01-05 09:00 CET; `gitops local override production-deploy` lets it in\n",
		"\nproduction-deploy 66666666: Window was overridden by me: the shop is down\n",
		"\nlocal-dockerbuild 33333333 failed: Test: phase build\n" + log + ":\n  before\n",
		"\n  it is wrong\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
	if tails := WithTails(all); len(tails[0].LogTail) != 0 || len(tails[2].LogTail) != tailLines {
		t.Errorf("tails: %+v", tails)
	}
	if got := Of(all, []string{"local-dockerbuild"}, 1); len(got) != 1 || got[0] != all[1] {
		t.Errorf("of: %+v", got)
	}
	b.Reset()
	Write(&b, nil, now)
	if !strings.HasPrefix(b.String(), "No execution yet.") {
		t.Error(b.String())
	}
}
