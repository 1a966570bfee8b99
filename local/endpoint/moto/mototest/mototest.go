// Package mototest runs moto for tests, and makes sure that the server which
// answers is the one that was started.
package mototest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/endpoint/moto"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// patience is how long a start and a snapshot may take: a second on an idle
// machine, much longer where many tests run.
const patience = 5 * time.Minute

// Server is a running moto.
type Server struct {
	URL string
	Cmd *exec.Cmd

	log   buffer
	ended chan struct{} // closed once the process has ended
	err   error         // of the process, after that
}

// Python returns an interpreter with moto. It fails without Python, or when
// moto is not installed and no package index is in reach.
func Python() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return moto.EnsureVenv(context.Background(), filepath.Join(cache, "k8s-plus-aws-gitops"), io.Discard)
}

// Start runs moto on a port, with its state in dir, until Stop is called, and
// returns once it answers.
func Start(python string, port int, dir string) (*Server, error) {
	cmd, err := moto.Command(python, port, dir)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.err = cmd.Wait(); close(s.ended) }()
	if err := s.until(func(h http.Header) bool { return h.Get("X-Pid") == strconv.Itoa(cmd.Process.Pid) }); err != nil {
		s.Stop()
		return nil, fmt.Errorf("moto on port %d does not answer: %w; its log: %s", port, err, s.Log())
	}
	return s, nil
}

// New runs moto until the test ends, with an empty state. The test is skipped
// where moto cannot be had.
func New(t testing.TB) *Server {
	t.Helper()
	python, err := Python()
	if err != nil {
		t.Skipf("moto cannot be had: %v", err)
	}
	s, err := Start(python, freeport.Port(t), t.TempDir())
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

// Stop kills the server.
func (s *Server) Stop() {
	_ = s.Cmd.Process.Kill()
	<-s.ended
}

// Wait waits for the end of the process and returns how it ended.
func (s *Server) Wait() error {
	<-s.ended
	return s.err
}

// Saved waits until every change is in the state on disk.
func (s *Server) Saved() error {
	return s.until(func(h http.Header) bool { return h.Get("X-State") == "saved" })
}

// Log is what the server has written.
func (s *Server) Log() string { return s.log.String() }

// until asks for the server's health until it is as wanted.
func (s *Server) until(ok func(http.Header) bool) error {
	last := errors.New("not asked yet")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-s.ended:
			return fmt.Errorf("it has ended: %w", errors.Join(s.err, last))
		default:
		}
		r, err := http.Get(s.URL + "/_local/healthz")
		if err != nil {
			last = err
			continue
		}
		_ = r.Body.Close()
		if ok(r.Header) {
			return nil
		}
		last = fmt.Errorf("process %s answers, state %q", r.Header.Get("X-Pid"), r.Header.Get("X-State"))
	}
	return fmt.Errorf("not in %s: %w", patience, last)
}

// buffer collects output that is read while the process still writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
