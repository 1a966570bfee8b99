package watch

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// host is asked at one URL.
type host struct {
	name, url string
	stop      context.CancelFunc

	mu sync.Mutex
	// there is true while an Ingress names it; seen is when that was last looked up.
	there bool
	seen  time.Time
	// answered is false until the first good answer since it came, which was at since; said is what it answers until then.
	answered bool
	since    time.Time
	said     string
	// good are the statuses that it gave as the base: a page that needs a sign-in is no loss.
	good           map[int]bool
	samples        []sample
	session        rehearsal.Session
	sessionLost    time.Time
	added, removed bool
}

// sample is a request that ended at a time. said is why it was lost.
type sample struct {
	at   time.Time
	took time.Duration
	said string
}

// answer is what a request came to.
type answer struct {
	status int
	// own is true for an answer of the load balancer itself.
	own bool
	err error
}

func newHost(name, url string, phase rehearsal.Phase) *host {
	return &host{name: name, url: url, good: map[int]bool{}, added: phase != rehearsal.Before, session: rehearsal.Session{Kept: true}}
}

// come notes that an Ingress names the host, and reports whether it is to be asked from now on. One that comes again while the
// change is live has changed its Ingress.
func (h *host) come(phase rehearsal.Phase, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = now
	if h.there {
		return false
	}
	h.there, h.answered = true, false
	h.removed = h.removed && (phase == rehearsal.Revert || phase == rehearsal.After)
	return true
}

// leave notes that no Ingress names the host any more. What was lost since that was last the case is no loss.
func (h *host) leave(phase rehearsal.Phase) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.there {
		return
	}
	h.stop()
	h.there = false
	h.removed = h.removed || !h.added && phase != rehearsal.Revert && phase != rehearsal.After
	if h.sessionLost.After(h.seen) {
		h.session = rehearsal.Session{Kept: true, Reconnects: h.session.Reconnects}
	}
	h.samples = slices.DeleteFunc(h.samples, func(s sample) bool { return s.said != "" && s.at.After(h.seen) })
}

// get asks once.
func get(ctx context.Context, client *http.Client, url string) answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{err: err}
	}
	return do(client, request, nil)
}

// do sends a request and reads the answer to its end; more sees it.
func do(client *http.Client, request *http.Request, more func(*http.Response)) answer {
	response, err := client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return answer{err: err}
	}
	if more != nil {
		more(response)
	}
	return answer{status: response.StatusCode, own: strings.HasPrefix(response.Header.Get("Server"), "awselb/")}
}

// lost is why an answer is none.
func (h *host) lost(phase rehearsal.Phase, a answer) string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.status >= 500 || a.own && a.status >= 400:
		return h.words(a)
	case a.status < 400 || phase == rehearsal.Before || !h.answered || h.good[a.status]:
		return ""
	default:
		return h.words(a) + ", which the base does not answer"
	}
}

func (h *host) words(a answer) string {
	text := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if a.own {
		text += " by the load balancer"
	}
	return text
}

// note keeps a sample.
func (h *host) note(phase rehearsal.Phase, now time.Time, took time.Duration, a answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.there {
		return
	}
	said := h.lost(phase, a)
	if !h.answered {
		if h.said = said; said != "" {
			return // it comes up
		}
	}
	if said == "" {
		if phase == rehearsal.Before || !h.answered {
			h.good[a.status] = true
		}
		if !h.answered {
			h.answered, h.since = true, now
		}
	} else if now.Add(-took).Before(h.since) {
		return // it was asked before the first good answer
	}
	h.samples = append(h.samples, sample{now, took, said})
}

// expire counts a host that never answered as one loss.
func (h *host) expire(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.there || h.answered {
		return
	}
	said := "it never answered"
	if h.said != "" {
		said += ": " + h.said
	}
	h.samples = append(h.samples, sample{now, 0, said})
}

func (h *host) result(t *timeline) rehearsal.Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := rehearsal.Host{Name: h.name, URL: h.url, Session: h.session, Added: h.added, Removed: h.removed}
	if h.since.IsZero() {
		out.Session = rehearsal.Session{} // it never answered, so there was none
	}
	times := map[rehearsal.Phase][]float64{}
	periods := map[rehearsal.Phase]*rehearsal.Period{}
	slices.SortStableFunc(h.samples, func(a, b sample) int { return a.at.Compare(b.at) })
	for _, s := range h.samples {
		phase, since := t.at(s.at)
		p := periods[phase]
		if p == nil {
			p = &rehearsal.Period{Phase: phase}
			periods[phase] = p
		}
		p.Requests++
		if s.said == "" {
			times[phase] = append(times[phase], float64(s.took)/float64(time.Millisecond))
			continue
		}
		p.Lost++
		if out.FirstLost == nil && phase != rehearsal.Before {
			out.FirstLost = &rehearsal.Loss{Phase: phase, Seconds: rounded(since.Seconds()), Said: s.said}
		}
	}
	for _, phase := range rehearsal.Phases() {
		if p := periods[phase]; p != nil {
			p.P50, p.P95 = percentile(times[phase], 50), percentile(times[phase], 95)
			out.Periods = append(out.Periods, *p)
		}
	}
	return out
}

// percentile is the nearest rank, to a tenth.
func percentile(all []float64, p float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return rounded(all[int(math.Ceil(p/100*float64(len(all))))-1])
}
