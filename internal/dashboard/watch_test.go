package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s-plus-aws-gitops/internal/status"
)

// recorder looks, and notes when and for what, in seconds since it began.
type recorder struct {
	began time.Time
	looks []string
	// answer of a look, by its number.
	answer func(n int) (*Environment, error)
}

func (r *recorder) look(_ context.Context, q Question) (*Environment, error) {
	r.looks = append(r.looks, fmt.Sprintf("%.0f%v%t", time.Since(r.began).Seconds(), q.Applications, q.Price))
	e, err := r.answer(len(r.looks))
	if e != nil {
		e.Details = map[string]Detail{}
		for _, a := range q.Applications {
			e.Details[a] = Detail{}
		}
	}
	return e, err
}

// clients ask as often as browsers do, until a time.
func (r *recorder) clients(ctx context.Context, w *Watch, n int, application string, until time.Duration) {
	for time.Since(r.began) < until {
		for range n {
			w.Get(ctx, application)
		}
		time.Sleep(2 * time.Second)
	}
}

func watched(t *testing.T, answer func(n int) (*Environment, error), steps func(context.Context, *recorder, *Watch)) []string {
	t.Helper()
	r := &recorder{answer: answer}
	synctest.Test(t, func(t *testing.T) {
		r.began = time.Now()
		w := &Watch{Name: "dev", Look: r.look, Pace: pace}
		steps(t.Context(), r, w)
		time.Sleep(time.Hour) // nobody watches
	})
	return r.looks
}

func good(int) (*Environment, error) { return well("dev"), nil }

// Whoever watches, the environment is looked at once in each pause; and not at all when nobody does.
func TestWatch(t *testing.T) {
	down := errors.New("no route to host")
	for name, c := range map[string]struct {
		answer func(n int) (*Environment, error)
		steps  func(context.Context, *recorder, *Watch)
		want   []string
	}{
		"for fifty clients": {good, func(ctx context.Context, r *recorder, w *Watch) { r.clients(ctx, w, 50, "", 30*time.Second) },
			[]string{"0[]true", "10[]false", "20[]false", "30[]false", "40[]false"}},
		"again after a while": {good, func(ctx context.Context, r *recorder, w *Watch) {
			r.clients(ctx, w, 1, "", time.Second)
			time.Sleep(10 * time.Minute)
			w.Get(ctx, "")
		}, []string{"0[]true", "10[]false", "602[]false", "612[]false"}},
		"a page of an application": {good, func(ctx context.Context, r *recorder, w *Watch) {
			r.clients(ctx, w, 1, "", 5*time.Second)
			r.clients(ctx, w, 1, "orders", 9*time.Second)
			r.clients(ctx, w, 1, "", 40*time.Second)
		}, []string{"0[]true", "6[orders]false", "16[orders]false", "26[]false", "36[]false", "46[]false"}},
		"less often while it fails": {func(n int) (*Environment, error) {
			if n < 6 {
				return nil, down
			}
			return well("dev"), nil
		}, func(ctx context.Context, r *recorder, w *Watch) { r.clients(ctx, w, 1, "", 420*time.Second) },
			[]string{"0[]true", "20[]true", "60[]true", "140[]true", "260[]true", "380[]true", "390[]false", "400[]false", "410[]false", "420[]false", "430[]false"}},
		"less often while neither half answers": {func(int) (*Environment, error) {
			return with(well("dev"), func(e *Environment) {
				e.Unread[string(status.PartStacks)], e.Unread[string(status.PartCluster)] = "no", "no"
			}), nil
		}, func(ctx context.Context, r *recorder, w *Watch) { r.clients(ctx, w, 1, "", 65*time.Second) }, []string{"0[]true", "20[]false", "60[]false"}},
		"not faster by asking again": {func(int) (*Environment, error) { return nil, down }, func(ctx context.Context, r *recorder, w *Watch) {
			for i := range 30 {
				w.Get(ctx, fmt.Sprintf("orders-%d", i%2))
				time.Sleep(900 * time.Millisecond)
			}
		}, []string{"0[orders-0]true", "20[orders-0 orders-1]true"}},
		"the price when a stack was changed": {func(n int) (*Environment, error) {
			return with(well("dev"), func(e *Environment) {
				if n > 2 {
					e.Status.Stacks[0].Updated = noon.Add(time.Hour)
				}
			}), nil
		}, func(ctx context.Context, r *recorder, w *Watch) { r.clients(ctx, w, 1, "", 30*time.Second) }, []string{"0[]true", "10[]false", "20[]false", "30[]true", "40[]false"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := watched(t, c.answer, c.steps); !slices.Equal(got, c.want) {
				t.Errorf("looked at %v, want %v", got, c.want)
			}
		})
	}
}

// What was seen stays while looks fail, and says so; the price stays while the stacks are the same.
func TestSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{began: time.Now(), answer: func(n int) (*Environment, error) {
			switch n {
			case 1:
				return well("dev"), nil
			case 2:
				return with(well("dev"), func(e *Environment) { e.Price = nil }), nil
			}
			return nil, errors.New("no route to host")
		}}
		w := &Watch{Name: "dev", Look: r.look, Pace: pace}
		if seen := w.Wait(t.Context(), t.Context(), "orders"); seen.Environment == nil || seen.Failure != "" {
			t.Errorf("first: %+v", seen)
		}
		time.Sleep(11 * time.Second)
		if seen := w.Get(t.Context(), ""); seen.Environment.Price == nil || seen.Environment.Price.Monthly != 312.4 {
			t.Errorf("the price is %+v", seen.Environment.Price)
		}
		time.Sleep(10 * time.Second)
		if seen := w.Get(t.Context(), ""); seen.Environment == nil || seen.Failure != "no route to host" {
			t.Errorf("after a failure: %+v", seen)
		}
		time.Sleep(time.Hour)
	})
}

// A look that takes too long ends, and a page does not wait for it that long.
func TestSlowLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &Watch{Name: "dev", Pace: pace, Look: func(ctx context.Context, _ Question) (*Environment, error) {
			<-ctx.Done()
			return nil, errors.New("signal: terminated")
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if seen := w.Wait(ctx, t.Context(), ""); seen.Environment != nil || seen.Failure != "" || time.Since(began) != 3*time.Second {
			t.Errorf("%+v after %s", seen, time.Since(began))
		}
		time.Sleep(time.Minute)
		if seen := w.Get(t.Context(), ""); seen.Failure != "it took longer than 1m0s" {
			t.Errorf("got %+v", seen)
		}
		time.Sleep(time.Hour)
	})
}

// The server ends with the looks that it has begun: each is a process.
func TestServeEnds(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	began, ended := make(chan struct{}), false
	s := &Server{First: time.Minute, Watches: []*Watch{{Name: "dev", Pace: pace, Look: func(ctx context.Context, _ Question) (*Environment, error) {
		close(began)
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // as a process takes
		ended = true
		return nil, ctx.Err()
	}}}}
	l, err := Listen(ctx, "0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-began
		interrupt()
	}()
	go func() {
		answer, err := http.Get("http://" + l.Addr().String())
		if err == nil {
			answer.Body.Close()
		}
	}()
	if err := s.Serve(ctx, l); err != nil || !ended {
		t.Errorf("%v, the look has ended: %t", err, ended)
	}
}
