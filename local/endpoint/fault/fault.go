// Package fault makes the local AWS endpoint answer as AWS does on a bad day: with an error of the service, with a refusal
// because of too many requests, or by a clock that is ahead. A file says which, so that a test or a person can switch it while
// the system runs; without the file every request passes.
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// Error is what a service answers.
type Error string

// The errors that every SDK tries again.
const (
	// Throttling is a refusal because of too many requests, by the name and the status that the service has for it.
	Throttling Error = "throttling"
	// Internal is a failure inside of the service, with status 500.
	Internal Error = "internal"
	// Unavailable is that the service does not serve now, with status 503.
	Unavailable Error = "unavailable"
)

// Faults are what the file holds, as JSON: {"errors": [{"service": "cloudformation", "error": "throttling"}], "ahead": "20m"}.
type Faults struct {
	// Errors by service; the first that matches a request counts.
	Errors []Rule `json:"errors,omitempty"`
	// Ahead is how far the clock of AWS is ahead of this machine's, as a duration: "20m", "-1h". Requests whose signature is
	// too old or too new for it are refused. Empty: not at all.
	Ahead string `json:"ahead,omitempty"`

	ahead time.Duration
}

// Rule is the error of a service.
type Rule struct {
	// Service is the name by which requests are signed for it, as "cloudformation"; "*" is all of them.
	Service string `json:"service"`
	Error   Error  `json:"error"`
}

// Exempt is the application in the User-Agent of those that are no clients of AWS but stand in for AWS itself, or look at the
// laboratory. They are not hit.
const Exempt = "gitops-laboratory"

// parse reads the file's content.
func parse(raw []byte) (Faults, error) {
	var f Faults
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, err
	}
	for i, r := range f.Errors {
		if r.Service == "" {
			return f, fmt.Errorf("errors[%d].service must be the name of a service, or *", i)
		}
		if !slices.Contains([]Error{Throttling, Internal, Unavailable}, r.Error) {
			return f, fmt.Errorf("errors[%d].error must be %s, %s or %s, got %q", i, Throttling, Internal, Unavailable, r.Error)
		}
	}
	if f.Ahead == "" {
		return f, nil
	}
	var err error
	if f.ahead, err = time.ParseDuration(f.Ahead); err != nil {
		err = fmt.Errorf("ahead must be a duration as 20m, got %q", f.Ahead)
	}
	return f, err
}

// of is the error for a service, or "".
func (f Faults) of(service string) Error {
	for _, r := range f.Errors {
		if r.Service == "*" || r.Service == service {
			return r.Error
		}
	}
	return ""
}

// Set writes the file; none removes it.
func Set(file string, f Faults) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if _, err := parse(raw); err != nil {
		return err
	}
	if len(f.Errors) == 0 && f.Ahead == "" {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(file, raw, 0o600)
}

// Switch wraps the endpoint. Service names the one that a request is signed for, "" for a request that is not signed, which
// always passes.
type Switch struct {
	File    string
	Service func(*http.Request) string
	Next    http.Handler
	Log     *slog.Logger

	mu   sync.Mutex
	read fs.FileInfo // when Faults were read; nil: there was no file
	now  Faults
}

func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, on := s.faults()
	if !on || exempt(r) {
		s.Next.ServeHTTP(w, r)
		return
	}
	service := s.Service(r)
	if f.ahead != 0 {
		w = &clock{ResponseWriter: w, ahead: f.ahead}
		if service != "" && expired(r, f.ahead) {
			s.Log.Info("refused: its signature is not of AWS's time", "service", service)
			protocolOf(service, r).write(w, r, skewed(service, r, f.ahead))
			return
		}
	}
	if kind := f.of(service); service != "" && kind != "" {
		s.Log.Info("answered with an error", "service", service, "error", kind, "target", r.Header.Get("X-Amz-Target"))
		p := protocolOf(service, r)
		p.write(w, r, p.failure(kind))
		return
	}
	s.Next.ServeHTTP(w, r)
}

// faults are those of the file, which is read again when it has changed. A file that cannot be read hits nothing.
func (s *Switch) faults() (Faults, bool) {
	info, err := os.Stat(s.File)
	if err != nil {
		return Faults{}, false // the usual case
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read != nil && os.SameFile(s.read, info) && s.read.ModTime().Equal(info.ModTime()) && s.read.Size() == info.Size() {
		return s.now, true
	}
	raw, err := os.ReadFile(s.File)
	if err == nil {
		s.now, err = parse(raw)
	}
	if err != nil {
		s.Log.Error("no fault is made", "file", s.File, "error", err)
		s.now = Faults{}
	}
	s.read = info
	return s.now, true
}
