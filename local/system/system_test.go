package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/cli/clitest"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/supervise"
)

func newSystem(t *testing.T) *System {
	t.Helper()
	repo := clitest.Checkout(t)
	s, err := Open(filepath.Join(repo, ".s"), filepath.Join(repo, "k8s"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Dir.Repo != repo {
		t.Fatalf("found the checkout %s, want %s", s.Dir.Repo, repo)
	}
	if err := s.Dir.Create(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenRefusesTheStateOfAnotherCheckout(t *testing.T) {
	s := newSystem(t)
	other := newSystem(t)
	if _, err := Open(s.Dir.Root, other.Dir.Repo); err == nil || !strings.Contains(err.Error(), s.Dir.Repo) {
		t.Errorf("got %v", err)
	}
	// Outside of any checkout the state directory tells its own.
	again, err := Open(s.Dir.Root, filepath.Dir(s.Dir.Repo))
	if err != nil || again.Dir.Repo != s.Dir.Repo {
		t.Errorf("got %+v, %v", again, err)
	}
}

func TestPlan(t *testing.T) {
	s := newSystem(t)
	ports, err := s.Dir.ChoosePorts()
	if err != nil {
		t.Fatal(err)
	}
	moto := exec.Command("/bin/true", "-u", "serve.py")
	moto.Env = append(os.Environ(), "ONLY=this")
	plan, err := s.plan(ports, parts{controlPlane: "/cache/controlplane", moto: moto, database: exec.Command("/bin/true")})
	if err != nil {
		t.Fatal(err)
	}
	if err := supervise.SavePlan(s.Dir.Path("run"), plan); err != nil {
		t.Fatal(err)
	}
	for _, p := range plan.Processes {
		if len(portsOf[p.Name]) == 0 && p.Ready != "" {
			t.Errorf("%s has no ports", p.Name)
		}
		if _, ok := daemons[p.Name]; ok && (p.Command[0] != s.Executable || p.Digest == "") {
			t.Errorf("daemon %s: %+v", p.Name, p)
		}
		temp := "TMPDIR=" + s.Dir.Path("tmp")
		want := []string{temp}
		switch p.Name {
		case motoProcess:
			want = []string{"ONLY=this", temp}
		case controlPlane:
			want = []string{"GOGC=50", temp}
		}
		if !slices.Equal(p.Env, want) {
			t.Errorf("%s's environment: %q, want %q", p.Name, p.Env, want)
		}
	}
}

func TestEnvFileIsAShellScript(t *testing.T) {
	d := &layout.Dir{Root: "/a b/it's", Repo: "/repo"}
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(envFile(d, layout.Ports{layout.AWS: 4566})), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-euc", `. "$0"; echo "$KUBECONFIG|$AWS_ENDPOINT_URL|$PATH|${AWS_PROFILE:-none}"`, file)
	cmd.Env = []string{"PATH=/bin:/usr/bin", "AWS_PROFILE=production"}
	out, err := cmd.CombinedOutput()
	if want := "/a b/it's/kubeconfig|http://127.0.0.1:4566|/repo/node_modules/.bin:/bin:/usr/bin|none\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string][2]int{
		"go version go1.26.8 linux/amd64": {1, 26}, "v24.21.0": {24, 21}, "Python 3.11.7": {3, 11}, "git version 2.39.5 (Apple Git-154)": {2, 39}, "nothing": {0, 0},
	} {
		if x, y := version(text); x != want[0] || y != want[1] {
			t.Errorf("%q: %d.%d", text, x, y)
		}
	}
}

func TestMissingAndOldToolsAreNamed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for name, text := range map[string]string{"go": "go version go1.20.1 linux/amd64", "git": "git version 2.40.0"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho '"+text+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	err := checkTools(t.Context())
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"go is version 1.20, at least 1.26", "https://go.dev/dl", "npm is not on the PATH", "python3 is not on the PATH"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "git is") {
		t.Errorf("complains about a good git: %v", err)
	}
}

func TestNeedSpace(t *testing.T) {
	if err := needSpace(filepath.Join(t.TempDir(), "not", "there"), 1); err != nil {
		t.Error(err)
	}
	if err := needSpace(t.TempDir(), 1<<62); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("got %v", err)
	}
}

func TestInstalled(t *testing.T) {
	repo := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(repo, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if installed(repo) {
		t.Error("nothing is there")
	}
	write("package-lock.json", `{"packages":{"":{},"node_modules/aws-cdk":{"version":"2.1"},"node_modules/darwin":{"version":"1","optional":true}}}`)
	write("node_modules/.package-lock.json", `{"packages":{"node_modules/aws-cdk":{"version":"2.1"}}}`)
	write("node_modules/.bin/cdk", "")
	write("node_modules/.bin/node", "")
	if !installed(repo) {
		t.Error("everything is there but an optional package")
	}
	write("node_modules/.package-lock.json", `{"packages":{"node_modules/aws-cdk":{"version":"2.0"}}}`)
	if installed(repo) {
		t.Error("an old version is there")
	}
}

func TestRemedy(t *testing.T) {
	for want, err := range map[string]error{
		"disk is full": fmt.Errorf("write: %w", syscall.ENOSPC),
		"network":      errors.New("npm error code ENOTFOUND"),
		"up` again":    context.Canceled,
		"the disk":     fmt.Errorf("npm ci: exit status 228%s", npmCause("npm warn x\nnpm error code ENOSPC\nnpm error syscall write\n")),
		"the network ": fmt.Errorf("npm ci: exit status 1%s", npmCause("npm error code ECONNREFUSED\nnpm error syscall connect\n")),
	} {
		if got := remedy(err); !strings.Contains(got, want) {
			t.Errorf("%v: got %q", err, got)
		}
	}
	if got := remedy(errors.New("else")); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestLastLines(t *testing.T) {
	for n, want := range map[int]string{-1: "a\nb\nc\n", 0: "", 1: "c\n", 2: "b\nc\n", 3: "a\nb\nc\n", 9: "a\nb\nc\n"} {
		if got := lastLines([]byte("a\nb\nc\n"), n); string(got) != want {
			t.Errorf("%d: got %q", n, got)
		}
	}
}

func TestFollowAcrossRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.log")
	if err := os.WriteFile(file, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, w := net.Pipe()
	go func() { _ = tailFile(ctx, file, LogOptions{Follow: true, Lines: 10}, w) }()
	expect := func(want string) {
		t.Helper()
		b := make([]byte, 64)
		n, err := r.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("got %q, %v", b[:n], err)
		}
	}
	expect("old\n")
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("n\n")
}

func TestLogsNamesWhatThereIs(t *testing.T) {
	s := newSystem(t)
	if err := os.WriteFile(s.Dir.Log("endpoint"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Logs(t.Context(), "endpoint", LogOptions{Lines: 5}, &b); err != nil || b.String() != "hello\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
	if err := s.Logs(t.Context(), "endpiont", LogOptions{}, &b); err == nil || !strings.Contains(err.Error(), "one of endpoint") {
		t.Errorf("got %v", err)
	}
}

func TestDownAndResetOfAStoppedSystem(t *testing.T) {
	s := newSystem(t)
	if _, err := s.Push(t.Context(), PushOptions{}); !errors.Is(err, errStopped) {
		t.Errorf("push: %v", err)
	}
	left := filepath.Join(s.Dir.Temp(), "jsii-runtime.1")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if ran, err := s.Down(t.Context()); ran || err != nil {
		t.Errorf("down: %v, %v", ran, err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir.Root); !os.IsNotExist(err) {
		t.Errorf("%s is still there", s.Dir.Root)
	}
}
