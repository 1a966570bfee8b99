package publish

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// later is the commit after source.
var later = strings.Repeat("b", 40)

// of are options that publish from a commit, and know that later is after source.
func of(dir, commit string, more func(*Options)) Options {
	o := options(dir)
	o.Source.Commit = commit
	o.Older = func(_ context.Context, a, b string) bool { return a == source.Commit && b == later }
	if more != nil {
		more(&o)
	}
	return o
}

// The deployment of an earlier commit leaves what a later one has published, and publishes the rest.
func TestLeaveNewer(t *testing.T) {
	dir := remote(t)
	if _, err := Publish(t.Context(), []Manifest{manifest("npm", "2")}, of(dir, later, nil)); err != nil {
		t.Fatal(err)
	}
	both := []Manifest{manifest("npm", "1"), manifest("info", "1")}
	var older *OlderError
	if _, err := Publish(t.Context(), both, of(dir, source.Commit, nil)); !errors.As(err, &older) {
		t.Errorf("without being told to leave it: %v", err)
	}
	got, err := Publish(t.Context(), both, of(dir, source.Commit, func(o *Options) { o.LeaveNewer = true }))
	if err != nil || !got[0].Newer || got[0].Changed || got[0].Source != later || !got[1].Changed || got[1].Newer || got[1].Source != source.Commit {
		t.Errorf("%+v, %v", got, err)
	}
}

// A rollback takes back what a later commit has published. What somebody has put on a branch from an earlier one stays.
func TestBack(t *testing.T) {
	dir := remote(t)
	publish := func(commit string, back bool, all ...Manifest) []Result {
		t.Helper()
		got, err := Publish(t.Context(), all, of(dir, commit, func(o *Options) { o.Back, o.Rollback = back, back }))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	publish(source.Commit, false, manifest("npm", "1"), manifest("info", "by hand"))
	publish(later, false, manifest("npm", "2"))
	got := publish(source.Commit, true, manifest("npm", "1"), manifest("info", "1"), manifest("github", "1"))
	if !got[0].Changed || got[1].Changed || got[2].Changed {
		t.Errorf("%+v", got)
	}
	if content := run(t, dir, "show", "dev/npm:npm.k8s.yaml"); content != strings.TrimSpace(string(manifest("npm", "1").Content)) {
		t.Errorf("npm is %q", content)
	}
}
