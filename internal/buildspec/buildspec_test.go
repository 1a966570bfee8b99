package buildspec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`
version: 0.2
env:
  git-credential-helper: yes
  variables: {STACKS: "*", RETRIES: 3}
  secrets-manager: {TOKEN: "/dev/gitops/token:token"}
  exported-variables: [DIFF_URL]
phases:
  install:
    runtime-versions: {golang: "1.26", nodejs: 24}
    commands: [make tools]
  build:
    on-failure: CONTINUE
    commands:
      - make check
      - |
        make test
    finally: [make report]
artifacts:
  files: ['**/*', ./plan/]
  base-directory: cdk.out
  exclude-paths: ['**/*.zip']
  discard-paths: yes
cache: {paths: ["/tmp/cache/**/*"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Spec{
		Env: Env{Variables: map[string]string{"STACKS": "*", "RETRIES": "3"}, Secrets: map[string]string{"TOKEN": "/dev/gitops/token:token"}, Exported: []string{"DIFF_URL"}, GitCredentialHelper: true},
		Phases: []Phase{
			{Name: "install", Runtimes: map[string]string{"golang": "1.26", "nodejs": "24"}, Commands: []string{"make tools"}},
			{Name: "build", Commands: []string{"make check", "make test\n"}, Finally: []string{"make report"}, Continue: true},
		},
		Artifacts:          &Artifacts{Files: []string{"**/*", "plan"}, Exclude: []string{"**/*.zip"}, BaseDirectory: "cdk.out", DiscardPaths: true},
		SecondaryArtifacts: map[string]*Artifacts{},
		Cache:              []string{"/tmp/cache/**/*"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A build may make one artifact, several by their names, or both.
func TestParseArtifacts(t *testing.T) {
	one := func(file string) *Artifacts { return &Artifacts{Files: []string{file}, BaseDirectory: "."} }
	for _, c := range []struct {
		name, section string
		one           *Artifacts
		several       map[string]*Artifacts
	}{
		{"none", "", nil, nil},
		{"one", "artifacts: {files: [a]}", one("a"), map[string]*Artifacts{}},
		{"several", "artifacts: {secondary-artifacts: {Plan: {files: [b]}, Test: {files: [c]}}}", nil, map[string]*Artifacts{"Plan": one("b"), "Test": one("c")}},
		{"both", "artifacts: {files: [a], secondary-artifacts: {Plan: {files: [b]}}}", one("a"), map[string]*Artifacts{"Plan": one("b")}},
	} {
		got, err := Parse([]byte("version: 0.2\nphases: {build: {commands: [make]}}\n" + c.section))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.one, got.Artifacts) + cmp.Diff(c.several, got.SecondaryArtifacts); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "version: 0.2\nphases: {build: {commands: [make]}}\n"
	for _, c := range []struct{ name, text, want string }{
		{"no YAML", "version: 0.2\n\tphases:", "is no YAML: line 2: found a tab character that violates indentation; correct the line"},
		{"a list", "- version: 0.2", "is no mapping; write a mapping"},
		{"nothing", "", "version: is missing; write 0.2, the version that runs all commands in one shell\nphases: has no commands; give phase build its commands"},
		{"a phase twice", good + "phases: {build: {commands: [make test]}}", "is no YAML: line 3: key \"phases\" already set in map; correct the line"},
		{"old version", strings.Replace(good, "0.2", "0.1", 1), "version: is 0.1; write 0.2, the version that runs all commands in one shell"},
		{"no phases", "version: 0.2", "phases: has no commands; give phase build its commands"},
		{"misspelt phase", "version: 0.2\nphases: {biuld: {commands: [make]}}", "phases.biuld: is not a known key; use one of install, pre_build, build, post_build"},
		{"misspelt commands", "version: 0.2\nphases: {build: {command: [make]}}", "phases.build.command: is not a known key; use one of runtime-versions, commands, finally, on-failure"},
		{"one command without a list", "version: 0.2\nphases: {build: {commands: make}}", "phases.build.commands: is no list; begin each with \"- \""},
		{"a colon in a command", "version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b", "phases.build.commands[0]: is no string; quote the line: YAML takes \": \" for a mapping"},
		{"an empty command", "version: 0.2\nphases: {build: {commands: [make, '']}}", "phases.build.commands[1]: is empty; remove it"},
		{"a number as a command", "version: 0.2\nphases: {build: {commands: [1]}}", "phases.build.commands[0]: is no string; quote it"},
		{"runtimes in another phase", "version: 0.2\nphases: {build: {runtime-versions: {golang: 1.26}, commands: [make]}}", "phases.build.runtime-versions: is read in phase install only; move it to phases.install"},
		{"unknown failure", "version: 0.2\nphases: {build: {on-failure: RETRY, commands: [make]}}", "phases.build.on-failure: is RETRY; write ABORT or CONTINUE"},
		{"secrets of another store", good + "env: {parameter-store: {A: /a}}", "env.parameter-store: is not a known key; use one of variables, secrets-manager, exported-variables, git-credential-helper, shell"},
		{"a variable that is a list", good + "env: {variables: {A: [1]}}", "env.variables.A: is no text; write text in quotes"},
		{"a name that is none", good + "env: {exported-variables: [A-B]}", "env.exported-variables[0]: \"A-B\" is no name of a variable; use letters, digits and _"},
		{"artifacts without files", good + "artifacts: {base-directory: a}", "artifacts.files: is missing; list them, or '**/*' for all"},
		{"a secondary artifact without files", good + "artifacts: {secondary-artifacts: {Plan: {}}}", "artifacts.secondary-artifacts.Plan.files: is missing; list them, or '**/*' for all"},
		{"secondary artifacts that are a list", good + "artifacts: {secondary-artifacts: [Plan]}", "artifacts.secondary-artifacts: is no mapping; write a mapping of names to artifacts"},
		{"an artifact's name", good + "artifacts: {files: [a], name: x}", "artifacts.name: is not a known key; use one of secondary-artifacts, files, base-directory, exclude-paths, discard-paths"},
		{"files elsewhere", good + "artifacts: {files: [/tmp/a]}", "artifacts.files[0]: \"/tmp/a\" leads elsewhere; write a path below the source, without variables"},
		{"files above", good + "artifacts: {files: [a], exclude-paths: [../b]}", "artifacts.exclude-paths[0]: \"../b\" leads elsewhere; write a path below the source, without variables"},
		{"a variable as base", good + "artifacts: {files: [a], base-directory: $HOME}", "artifacts.base-directory: \"$HOME\" leads elsewhere; write a path below the source, without variables"},
		{"paths that are kept or not", good + "artifacts: {files: [a], discard-paths: maybe}", "artifacts.discard-paths: is maybe; write yes or no"},
		{"another shell", good + "env: {shell: powershell.exe}", "env.shell: is powershell.exe; write bash, or leave it out"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	if _, err := Load(t.TempDir(), "buildspec.yml"); err == nil || !strings.HasPrefix(err.Error(), "buildspec.yml: cannot be read") {
		t.Error(err)
	}
	for _, name := range []string{"buildspec.yml", "infrastructure/delivery/buildspecs/test.yml"} {
		if _, err := Load("../..", name); err != nil {
			t.Error(err)
		}
	}
}
