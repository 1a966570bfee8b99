package moto_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/endpoint/moto"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// python returns an interpreter with moto; the test is skipped when there is none.
func python(t *testing.T) string {
	t.Helper()
	p, err := mototest.Python()
	if err != nil {
		t.Skipf("moto cannot be had: %v", err)
	}
	return p
}

func start(t *testing.T, python string, port int, dir string) *mototest.Server {
	t.Helper()
	s, err := mototest.Start(python, port, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("moto's log:\n%s", s.Log())
		}
	})
	return s
}

func client(url string) aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  httpbody.Client(),
	}
}

func TestStateSurvivesKill(t *testing.T) {
	interpreter, port, dir := python(t), freeport.Port(t), t.TempDir()
	first := start(t, interpreter, port, dir)
	account := populate(t, client(first.URL))
	before := account.describe(t)
	if err := first.Saved(); err != nil {
		t.Fatal(err)
	}
	first.Stop() // SIGKILL
	if strings.Contains(first.Log(), "snapshot failed") {
		t.Fatalf("moto's log:\n%s", first.Log())
	}
	second := start(t, interpreter, port, dir)
	if !strings.Contains(second.Log(), "restored") {
		t.Errorf("nothing was restored: %s", second.Log())
	}
	if diff := cmp.Diff(before, account.describe(t)); diff != "" {
		t.Errorf("state after kill -9 and a restart (-before +after):\n%s", diff)
	}
	account.change(t) // restored objects still know each other
}

func TestStateIsWrittenOnTermination(t *testing.T) {
	interpreter, port, dir := python(t), freeport.Port(t), t.TempDir()
	first := start(t, interpreter, port, dir)
	account := newAccount(client(first.URL))
	account.secret(t, "/local/last", "value")
	if err := first.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
	start(t, interpreter, port, dir)
	if got := account.secretValue(t, "/local/last"); got != "value" {
		t.Errorf("secret after the restart: %q", got)
	}
}

func TestAnotherVersionsStateIsRefused(t *testing.T) {
	interpreter, dir := python(t), t.TempDir()
	program := `import pickle,sys; pickle.dump({"format": 0, "moto": "1.0", "backends": {}}, open(sys.argv[1], "wb"))`
	if err := exec.Command(interpreter, "-c", program, filepath.Join(dir, "state.pickle")).Run(); err != nil {
		t.Fatal(err)
	}
	cmd, err := moto.Command(interpreter, freeport.Port(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "make local-reset") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestVersionIsPinned(t *testing.T) {
	if v := moto.Version(); !strings.HasPrefix(v, "5.2.") {
		t.Errorf("moto version %q", v)
	}
	requirements, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(requirements)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(line, "==") {
			t.Errorf("%s is not pinned", line)
		}
	}
}

func TestMissingPythonIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := moto.EnsureVenv(context.Background(), t.TempDir(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "python3 is not on PATH") {
		t.Errorf("got %v", err)
	}
}

// text is a value as indented JSON, for comparison.
func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEnsureCLITakesTheOneOnPath(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	aws := filepath.Join(dir, "aws")
	for script, want := range map[string]string{"#!/bin/sh\nexit 0\n": "", "#!/bin/sh\nexit 127\n": "neither aws nor python3 is on PATH"} {
		if err := os.WriteFile(aws, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		got, err := moto.EnsureCLI(t.Context(), dir, io.Discard)
		if want == "" && (err != nil || got != aws) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %s, %v", script, got, err)
		}
	}
}
