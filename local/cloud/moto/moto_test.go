package moto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

// python returns an interpreter with moto; the test is skipped when there is none.
func python(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	p, err := EnsureVenv(t.Context(), filepath.Join(cache, "k8s-plus-aws-gitops"), os.Stderr)
	if err != nil {
		t.Skipf("moto cannot be installed: %v", err)
	}
	return p
}

type server struct {
	cmd *exec.Cmd
	log *bytes.Buffer
	url string
}

func start(t *testing.T, python string, port int, dir string) *server {
	t.Helper()
	cmd, err := Command(python, port, dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, log: &bytes.Buffer{}, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("moto's log:\n%s", s.log)
		}
	})
	for range 300 {
		if r, err := http.Get(s.url + "/_local/healthz"); err == nil {
			_ = r.Body.Close()
			return s
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("no answer after 30 s")
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func client(url string) aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

func TestStateSurvivesKill(t *testing.T) {
	interpreter, port, dir := python(t), freePort(t), t.TempDir()
	first := start(t, interpreter, port, dir)
	account := populate(t, client(first.url))
	before := account.describe(t)
	time.Sleep(1500 * time.Millisecond) // the snapshot follows the last change within half a second
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait()
	if strings.Contains(first.log.String(), "snapshot failed") {
		t.Fatalf("moto's log:\n%s", first.log)
	}
	second := start(t, interpreter, port, dir)
	if !strings.Contains(second.log.String(), "restored") {
		t.Errorf("nothing was restored: %s", second.log)
	}
	if diff := cmp.Diff(before, account.describe(t)); diff != "" {
		t.Errorf("state after kill -9 and a restart (-before +after):\n%s", diff)
	}
	account.change(t) // restored objects still know each other
}

func TestStateIsWrittenOnTermination(t *testing.T) {
	interpreter, port, dir := python(t), freePort(t), t.TempDir()
	first := start(t, interpreter, port, dir)
	account := newAccount(client(first.url))
	account.secret(t, "/local/last", "value")
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := first.cmd.Wait(); err != nil {
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
	cmd, err := Command(interpreter, freePort(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "make local-reset") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestVersionIsPinned(t *testing.T) {
	if v := Version(); !strings.HasPrefix(v, "5.2.") {
		t.Errorf("moto version %q", v)
	}
	for line := range strings.Lines(string(requirements)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(line, "==") {
			t.Errorf("%s is not pinned", line)
		}
	}
}

func TestMissingPythonIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := EnsureVenv(context.Background(), t.TempDir(), io.Discard)
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
		got, err := EnsureCLI(t.Context(), dir, io.Discard)
		if want == "" && (err != nil || got != aws) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %s, %v", script, got, err)
		}
	}
}
