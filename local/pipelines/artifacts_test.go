package pipelines

import (
	"archive/zip"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/buildspec"
)

func TestPack(t *testing.T) {
	src, folder := t.TempDir(), t.TempDir()
	for _, name := range []string{"README", "out/a.json", "out/b/c.json", "out/b/.hidden", "out/b/README", "out-2/d.json", "outside.txt"} {
		file := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"out/link": "a.json", "out-2/folder": "../out/b"} {
		if err := os.Symlink(target, filepath.Join(src, name)); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	b := &build{src: src, out: &logWriter{to: log}}
	for name, c := range map[string]struct {
		artifacts string // its section
		want      string // the files, or the problem
	}{
		"all":                    {"files: ['**/*'], exclude-paths: ['out-2/**']", "README out/a.json out/b/.hidden out/b/README out/b/c.json out/link outside.txt"},
		"one":                    {"files: [out/a.json]", "out/a.json"},
		"of a folder":            {"files: ['out/*']", "out/a.json out/link"},
		"below a folder":         {"files: ['out/**/*']", "out/a.json out/b/.hidden out/b/README out/b/c.json out/link"},
		"twice named":            {"files: [out/a.json, 'out/*.json', 'out/missing']", "out/a.json"},
		"base":                   {"files: ['**/*'], base-directory: out", "a.json b/.hidden b/README b/c.json link"},
		"bases":                  {"files: ['*.json'], base-directory: 'out*'", "a.json d.json"},
		"behind a link":          {"files: ['folder/*.json'], base-directory: out-2", "folder/c.json"},
		"excluded":               {"files: ['**/*'], base-directory: out, exclude-paths: ['**/*.json', 'b/.*']", "b/README link"},
		"excluded at the top":    {"files: ['**/*'], base-directory: out, exclude-paths: ['*.json']", "b/.hidden b/README b/c.json link"},
		"flat":                   {"files: ['out/**/*.json'], discard-paths: yes", "a.json c.json"},
		"two of a name":          {"files: ['**/README'], discard-paths: yes", "README is in the artifact twice"},
		"none":                   {"files: [missing]", "no matching artifact paths found"},
		"all excluded":           {"files: ['*.txt'], exclude-paths: ['*']", "no matching artifact paths found"},
		"a folder":               {"files: [out]", "no matching artifact paths found"},
		"no base":                {"files: ['**/*'], base-directory: missing", "no matching base directory path found for missing"},
		"a file as base":         {"files: ['**/*'], base-directory: README", "no matching base directory path found for README"},
		"a pattern that is none": {"files: ['[']", "syntax error in pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := buildspec.Parse([]byte("version: 0.2\nphases: {build: {commands: [make]}}\nartifacts: {" + c.artifacts + "}\n"))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, name, "x.zip")
			if err := b.pack(*spec.Artifacts, file); err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			archive, err := zip.OpenReader(file)
			if err != nil {
				t.Fatal(err)
			}
			defer archive.Close()
			var names []string
			for _, f := range archive.File {
				names = append(names, f.Name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

// takes gives a build other inputs, the first of which is the primary one.
func takes(a Action, names ...string) Action {
	a.InputArtifacts = nil
	for _, n := range names {
		a.InputArtifacts = append(a.InputArtifacts, Artifact{n})
	}
	a.Configuration = maps.Clone(a.Configuration)
	a.Configuration["PrimarySource"] = names[0]
	return a
}

// makes gives a build outputs.
func makes(a Action, names ...string) Action {
	for _, n := range names {
		a.OutputArtifacts = append(a.OutputArtifacts, Artifact{n})
	}
	return a
}

// Artifacts reach the later builds of their execution alone, and every build that takes the source has its history.
func TestArtifactsReachLaterBuilds(t *testing.T) {
	w := newWorld(t)
	w.config.Builds = 1 // one place: nothing may be left of the build before
	const section = "artifacts: {base-directory: plan, files: ['**/*']}\n"
	plan := makes(w.project("plan", spec("mkdir -p plan/bin", "cp p/1 plan/one", `printf '#!/bin/sh\necho run $1\n' > plan/bin/run`, "chmod 700 plan/bin/run")+section), "Plan")
	several := makes(w.project("several", spec("echo first > a", "echo second > b")+
		"artifacts: {secondary-artifacts: {First: {files: [a]}, Second: {files: [b]}}}\n"), "First", "Second")
	history := `git rev-list --count HEAD >> "$OUT/history"`
	both := takes(w.project("both", spec(history, `{ cat "$CODEBUILD_SRC_DIR_Plan/one" p/1; cat "$CODEBUILD_SRC_DIR_First/a"; "$CODEBUILD_SRC_DIR_Plan/bin/run" it; ls; } > "$OUT/both"`)), "Source", "Plan", "First")
	verify := takes(w.project("verify", spec(`{ cat one; ls; echo "<${CODEBUILD_RESOLVED_SOURCE_VERSION:-}>"; cat "$CODEBUILD_SRC_DIR_Second/b"; cd "$CODEBUILD_SRC_DIR_Source"; git log -1 --format=%H; } > "$OUT/verify"`, `cd "$CODEBUILD_SRC_DIR_Source"`, history)), "Plan", "Second", "Source")
	w.define("p", "QUEUED", "", stage("Plan", plan, several), stage("Approve", approval("Approve")), stage("Deploy", both), stage("Verify", verify))
	w.defs.Pipelines["p"].Stages[0].Actions[0].Configuration["OutputArtifactFormat"] = "CODEBUILD_CLONE_REF"
	w.start()
	first := w.push(map[string]string{"p/1": "of the first\n"})
	w.wait("p", first, Waiting)
	second := w.push(map[string]string{"p/1": "of the second\n"})
	w.stop() // another runner has them too
	w.start()
	w.approve("p", first)
	w.wait("p", first, Succeeded)
	if got, want := w.file("both"), "of the first\nof the first\nfirst\nrun it\nREADME\np"; got != want {
		t.Errorf("both: got %q, want %q", got, want)
	}
	if got, want := w.file("verify"), "of the first\nbin\none\n<>\nsecond\n"+first; got != want {
		t.Errorf("verify: got %q, want %q", got, want)
	}
	w.approve("p", second)
	e := w.wait("p", second, Succeeded)
	if got := w.file("both"); !strings.HasPrefix(got, "of the second\nof the second\n") {
		t.Errorf("both of the second execution: %q", got)
	}
	if got := w.file("history"); got != "2\n2\n3\n3" {
		t.Errorf("commits of the clones: %q", got)
	}
	kept, err := filepath.Glob(filepath.Join(folderOf(w.root, e), "artifacts", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		kept[i] = filepath.Base(kept[i])
	}
	if want := []string{"First.zip", "Plan.zip", "Second.zip"}; !slices.Equal(kept, want) {
		t.Errorf("the execution keeps %q, want %q", kept, want)
	}
}

// approve waits for an approval and gives it.
func (w *world) approve(pipeline, commit string) {
	w.t.Helper()
	w.wait(pipeline, commit, Waiting)
	if _, _, err := Decide(w.root, pipeline, Decision{Approved: true, By: "me"}); err != nil {
		w.t.Fatal(err)
	}
}

func TestArtifactsThatAreMissing(t *testing.T) {
	for name, c := range map[string]struct {
		stages func(w *world) []Stage
		want   string
	}{
		"no section": {func(w *world) []Stage {
			return []Stage{stage("S", makes(w.project("x", spec("true")), "Plan"))}
		}, "x: phase UPLOAD_ARTIFACTS: the buildspec has no artifacts, but the action makes the artifact Plan"},
		"no definition of one of two": {func(w *world) []Stage {
			return []Stage{stage("S", makes(w.project("x", spec("touch a")+"artifacts: {secondary-artifacts: {Plan: {files: [a]}}}\n"), "Plan", "Other"))}
		}, "x: phase UPLOAD_ARTIFACTS: the buildspec has no artifacts.secondary-artifacts.Other, but the action makes the artifact Other"},
		"no file": {func(w *world) []Stage {
			return []Stage{stage("S", makes(w.project("x", spec("true")+"artifacts: {files: [plan]}\n"), "Plan"))}
		}, "x: phase UPLOAD_ARTIFACTS: no matching artifact paths found"},
		"a failed build": {func(w *world) []Stage {
			return []Stage{stage("S", makes(w.project("x", spec("touch a", "exit 3")+"artifacts: {files: [a]}\n"), "Plan"))}
		}, "x: phase build: error while executing command: exit 3: exit status 3"},
		"a skipped stage": {func(w *world) []Stage {
			plan := makes(w.project("x", spec("touch a")+"artifacts: {files: [a]}\n"), "Plan")
			return []Stage{entry(stage("S", plan), "SKIP", rule("#{Source.BranchName}", "NE", "main")), stage("T", takes(w.project("y", spec("true")), "Plan"))}
		}, "y: input artifact Plan: does not exist: the stage whose action makes it was skipped"},
		"a buildspec that is not in it": {func(w *world) []Stage {
			plan := makes(w.project("x", spec("touch a")+"artifacts: {files: [a]}\n"), "Plan")
			return []Stage{stage("S", plan), stage("T", takes(w.project("y", "buildspec.yml"), "Plan"))}
		}, "y: YAML_FILE_ERROR: buildspec.yml: cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.define("p", "QUEUED", "", c.stages(w)...)
			w.start()
			if e := w.wait("p", w.push(map[string]string{"p/1": ""}), Failed); !strings.HasPrefix(e.Reason, c.want) {
				t.Errorf("got %q, want %q", e.Reason, c.want)
			}
		})
	}
}
