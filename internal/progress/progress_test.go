package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRunOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	step := func(name string, needs ...string) Step {
		return Step{Name: name, Needs: needs, Run: func(context.Context, *Output) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
			return nil
		}}
	}
	err := Runner{Parallel: 4}.Run(t.Context(), []Step{step("c", "a", "b"), step("a"), step("b", "a"), step("d", "c")})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abcd" {
		t.Errorf("ran %s", got)
	}
	if err := (Runner{}).Run(t.Context(), []Step{step("x", "nothing")}); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("unknown need: %v", err)
	}
}

func TestFailureStopsTheRest(t *testing.T) {
	logs := t.TempDir()
	var later bool
	cause := errors.New("disk is full")
	err := Runner{Parallel: 2, Logs: logs}.Run(t.Context(), []Step{
		{Name: "Slow", Run: func(ctx context.Context, _ *Output) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		{Name: "Build programs", Remedy: "free some space", Run: func(_ context.Context, out *Output) error {
			fmt.Fprintln(out, "half way")
			return cause
		}},
		{Name: "Later", Needs: []string{"Build programs"}, Run: func(context.Context, *Output) error { later = true; return nil }},
	})
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, cause) {
		t.Fatalf("got %v", err)
	}
	if later {
		t.Error("a step ran after its need failed")
	}
	if e.Step != "Build programs" || e.Remedy != "free some space" {
		t.Errorf("got %+v", e)
	}
	log, err := os.ReadFile(e.Log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "half way") || !strings.Contains(string(log), "disk is full") {
		t.Errorf("log: %s", log)
	}
}

func TestPlainDisplay(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	var b bytes.Buffer
	d := New(&b)
	err := Runner{Display: d}.Run(t.Context(), []Step{
		{Name: "One", Run: func(_ context.Context, out *Output) error { out.Result("already there"); return nil }},
		{Name: "Two", Needs: []string{"One"}, Run: func(context.Context, *Output) error { return errors.New("no") }},
	})
	d.Close()
	if err == nil {
		t.Fatal("no error")
	}
	if got, want := b.String(), "ok One (0.0s) already there\nFAILED Two (0.0s)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClip(t *testing.T) {
	d := &Display{width: 20, marks: ascii}
	if got := d.clip("\x1b[31m" + strings.Repeat("x", 40) + "\x1b[0m"); got != strings.Repeat("x", 16)+"..." {
		t.Errorf("got %q", got)
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{400 * time.Millisecond: "0.4s", 12340 * time.Millisecond: "12.3s", 125 * time.Second: "2m05s"} {
		if got := Seconds(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
