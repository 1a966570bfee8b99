package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// phases is a buildspec whose phases note that they ran; more is added to one.
func phases(t *testing.T, in, more, fails string) string {
	t.Helper()
	text := "version: 0.2\nphases:\n"
	for _, p := range []string{"post_build", "build", "pre_build", "install"} { // the order of the file does not matter
		text += "  " + p + ":\n"
		if p == in {
			text += more
		}
		text += "    commands: ['echo " + p + " $CODEBUILD_BUILD_SUCCEEDING >> $OUT/ran'"
		if p == fails {
			text += ", 'false'"
		}
		text += "]\n    finally: ['echo finally " + p + " >> $OUT/ran']\n"
	}
	return text
}

func TestPhases(t *testing.T) {
	for _, c := range []struct {
		name, in, more, fails string
		ran                   string
		status                Status
	}{
		{"all", "", "", "", "install 1, finally install, pre_build 1, finally pre_build, build 1, finally build, post_build 1, finally post_build", Succeeded},
		{"install fails", "", "", "install", "install 1, finally install", Failed},
		{"pre_build fails", "", "", "pre_build", "install 1, finally install, pre_build 1, finally pre_build", Failed},
		{"build fails", "", "", "build", "install 1, finally install, pre_build 1, finally pre_build, build 1, finally build, post_build 0, finally post_build", Failed},
		{"build fails and aborts", "build", "    on-failure: ABORT\n", "build", "install 1, finally install, pre_build 1, finally pre_build, build 1, finally build", Failed},
		{"install fails and goes on", "install", "    on-failure: CONTINUE\n", "install", "install 1, finally install, pre_build 0, finally pre_build, build 0, finally build, post_build 0, finally post_build", Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.define("p", "QUEUED", "", stage("S", w.project("x", phases(t, c.in, c.more, c.fails))))
			w.start()
			w.wait("p", w.push(map[string]string{"p/1": ""}), c.status)
			if got := strings.ReplaceAll(w.file("ran"), "\n", ", "); got != c.ran {
				t.Errorf("ran %s\nwant %s", got, c.ran)
			}
		})
	}
}

// Commands share variables, functions and the working directory, and exit ends
// a command, not the build.
func TestOneShell(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("S", w.project("x", spec(
		`PLAIN="it's \"here\""`, "export EXPORTED=$'two\\nlines'", "list=(a 'b c')", "f() { echo from f; }", "cd p", "exit 0", "set -f",
		`{ echo "$PLAIN|$EXPORTED|${list[1]}|$(f)|$(basename "$PWD")"; env | grep -c ^EXPORTED; env | grep -c ^PLAIN || true; } > "$OUT/shell"`,
		"sleep 60 &", "#  a comment",
	))))
	w.start()
	w.wait("p", w.push(map[string]string{"p/1": ""}), Succeeded)
	if got, want := w.file("shell"), "it's \"here\"|two\nlines|b c|from f|p\n1\n0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Action over project over buildspec; exported variables reach later actions.
func TestVariables(t *testing.T) {
	w := newWorld(t)
	first := w.project("first", "version: 0.2\nenv: {variables: {A: file, B: file, C: file, GOCACHE: /tmp/cache/go}, exported-variables: [URL, UNSET]}\nphases: {build: {commands: ['echo $A $B $C ${GOCACHE:-own} > $OUT/first', 'export URL=https://x/$CODEBUILD_BUILD_ID']}}\ncache: {paths: ['/tmp/cache/**/*']}\n",
		Variable{Name: "B", Value: "project"}, Variable{Name: "C", Value: "project"})
	first.Namespace = "First"
	first.Configuration["EnvironmentVariables"] = `[{"name": "C", "type": "PLAINTEXT", "value": "#{Source.BranchName}"}]`
	second := w.project("second", spec("echo $LINK > $OUT/second"))
	second.RunOrder = 2
	second.Configuration["EnvironmentVariables"] = `[{"name": "LINK", "value": "#{First.URL} #{codepipeline.PipelineExecutionId}"}]`
	w.define("p", "QUEUED", "", stage("S", second, first))
	w.start()
	e := w.wait("p", w.push(map[string]string{"p/1": ""}), Succeeded)
	if got := w.file("first"); got != "file project main own" {
		t.Errorf("first: %s", got)
	}
	if got := w.file("second"); !strings.HasPrefix(got, "https://x/first:") || !strings.HasSuffix(got, " "+e.ID) {
		t.Errorf("second: %s", got)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	const secret = `{"token": "s3cr\"et-value", "n": 12345}`
	w := newWorld(t)
	w.config.AWS.BaseEndpoint = aws.String(secrets(t, "/a/token", secret))
	w.define("p", "QUEUED", "", stage("S", w.project("x", "version: 0.2\nenv: {secrets-manager: {TOKEN: '/a/token:token'}, exported-variables: [SEEN]}\nphases: {build: {commands: ['echo \"<$TOKEN>\" | tee $OUT/token', 'printf \"<%s\" \"$TOKEN\"; sleep 0.1; echo \"$N>\"', 'export SEEN=$TOKEN', 'exit 1']}}\n",
		Variable{Name: "N", Type: "SECRETS_MANAGER", Value: "/a/token:n"})))
	w.start()
	e := w.wait("p", w.push(map[string]string{"p/1": ""}), Failed)
	if w.file("token") != `<s3cr"et-value>` {
		t.Errorf("the build got %s", w.file("token"))
	}
	text := logOf(t, e, "x")
	if !strings.Contains(text, "<***>\n") || !strings.Contains(text, "<******>\n") {
		t.Errorf("log:\n%s", text)
	}
	// No file keeps it: log, state, variables of the shell.
	if err := filepath.WalkDir(w.root, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(name)
		if strings.Contains(string(raw), "et-value") {
			t.Errorf("%s holds the secret", name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTimeout(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("S", w.project("x", spec("sleep 60"))))
	w.config.minute = 10 * time.Millisecond
	w.start()
	if e := w.wait("p", w.push(map[string]string{"p/1": ""}), Failed); !strings.Contains(e.Reason, "timed out after") {
		t.Errorf("%+v", e)
	}
}

// A checkout gets the packages of the user's when the lock files agree, and
// make sees that they are there.
func TestRestoreModules(t *testing.T) {
	w := newWorld(t)
	modules := filepath.Join(w.dir, "user")
	for name, text := range map[string]string{"package-lock.json": "{}", "node_modules/.package-lock.json": "{}", "node_modules/x": "x"} {
		p := filepath.Join(modules, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.config.Modules = modules
	w.define("p", "QUEUED", "", stage("S", w.project("x", spec(`if [ -e node_modules/x ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then echo cached; else echo none; fi > $OUT/modules`, "echo y > stale"))))
	w.start()
	w.wait("p", w.push(map[string]string{"p/1": "", "package-lock.json": "{}", "package.json": "{}"}), Succeeded)
	if w.file("modules") != "cached" {
		t.Error("the packages are not there")
	}
	w.wait("p", w.push(map[string]string{"p/1": "2", "package-lock.json": `{"other": 1}`}), Succeeded)
	if w.file("modules") != "none" {
		t.Error("packages of another lock file")
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "x")); err != nil {
		t.Errorf("the user's packages are gone: %v", err)
	}
}

func TestTools(t *testing.T) {
	w := newWorld(t)
	w.config.Tools = map[string][]string{"docker": {"/bin/echo", "it's", "mine"}}
	w.define("p", "QUEUED", "", stage("S", w.project("x", spec("docker build . > $OUT/docker"))))
	w.start()
	w.wait("p", w.push(map[string]string{"p/1": ""}), Succeeded)
	if got := w.file("docker"); got != "it's mine build ." {
		t.Errorf("got %q", got)
	}
}
