package publish

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseTag(t *testing.T) {
	for _, name := range []string{"npm/v1.2.3", "npm/v0.0.0", "web-2/v10.20.30", "npm/v1.0.0-rc.1", "npm/v1.0.0-rc.1+build.5", "npm/v1.0.0+5"} {
		tag, err := ParseTag(name)
		if err != nil || tag.Name != name || tag.Service+"/"+tag.Version != name {
			t.Errorf("%s: %+v, %v", name, tag, err)
		}
	}
	for _, name := range []string{"npm/v1.2", "npm/v1", "npm/1.2.3", "npm/v01.2.3", "npm/v1.2.3.4", "npm/vnext", "npm/v", "npm", "", "/v1.2.3", "npm/v1.2.3/x", "npm/x/v1.2.3", "npm/v1.2.3-", "npm/v1.2.3-01", "npm/V1.2.3", "npm/v1.2.3+"} {
		if _, err := ParseTag(name); err == nil || !strings.Contains(err.Error(), "must be <service>/v<major>.<minor>.<patch>") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTags(t *testing.T) {
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	dir := t.TempDir()
	run(t, dir, "init", "--quiet", ".")
	commit := func() {
		run(t, dir, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--allow-empty", "-m", "x")
	}
	commit()
	run(t, dir, "tag", "npm/v0.9.0")
	commit()
	for _, name := range []string{"npm/v1.9.0", "npm/v1.10.0", "npm/v1.10.0-rc.1", "info/vnext", "v1.0.0", "a/b/v1.0.0"} {
		run(t, dir, "tag", name)
	}
	run(t, dir, "-c", "user.name=t", "-c", "user.email=t@t", "tag", "--annotate", "-m", "x", "github/v2.0.0")
	tags, problems, err := Tags(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(tags)); !slices.Equal(got, []string{"github", "npm"}) || tags["npm"].Version != "v1.10.0" || tags["github"].Name != "github/v2.0.0" {
		t.Errorf("%+v", tags)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), `"info/vnext"`) {
		t.Errorf("%v", problems)
	}
	// The source names the same, and a broken tag of another service is not its matter.
	source, err := ReadSource(t.Context(), SourceOptions{Dir: dir, Paths: []string{"."}, Service: "npm"})
	if err != nil || source.Tag != "npm/v1.10.0" {
		t.Errorf("%+v, %v", source, err)
	}
	// In a repository of its own a service has the plain tags.
	run(t, dir, "tag", "v1.0.0-rc.1")
	run(t, dir, "tag", "vnext")
	if own, err := ReadSource(t.Context(), SourceOptions{Dir: dir, Paths: []string{"."}, Service: "npm", Own: true}); err != nil || own.Tag != "v1.0.0" {
		t.Errorf("%+v, %v", own, err)
	}
	if _, err := OwnTag(t.Context(), t.TempDir()); err == nil {
		t.Error("no repository, no error")
	}
	if _, _, err := Tags(t.Context(), t.TempDir()); err == nil {
		t.Error("no repository, no error")
	}
}
