package watch

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"time"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// keepEvery is the pause between two requests of a session, shorter than the time after which servers close idle connections: a
// Node.js server does after 5 s.
const keepEvery = time.Second

// session is a client with cookies and one connection.
type session struct {
	client *http.Client
	h      *host
	// turns are the cookies that the base gives anew with every answer.
	turns     map[string]bool
	connected bool
}

// keep asks a host as somebody who has signed in would: with the cookies that it gave, over one connection.
func (w *Watch) keep(ctx context.Context, client *http.Client, h *host) {
	defer client.CloseIdleConnections()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.unseen("the session of "+h.name, err)
		return
	}
	client.Jar = jar
	if t, ok := client.Transport.(*http.Transport); ok {
		t.MaxConnsPerHost, t.IdleConnTimeout = 1, 0
	}
	s := &session{client: client, h: h, turns: map[string]bool{}}
	for wait := min(keepEvery, 10*w.pause); ; {
		s.ask(ctx, &w.times)
		if !pause(ctx, wait) {
			return
		}
	}
}

// ask asks once.
func (s *session) ask(ctx context.Context, t *timeline) {
	opened := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { opened = opened || !i.Reused }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.h.url, nil)
	if err != nil {
		return
	}
	sent := map[string]string{}
	for _, c := range s.client.Jar.Cookies(request.URL) {
		sent[c.Name] = c.Value
	}
	var given []*http.Cookie
	a := do(s.client, request, func(r *http.Response) { given = r.Cookies() })
	if ctx.Err() != nil {
		return
	}
	phase, _ := t.at(time.Now())
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if !s.h.there || !s.h.answered {
		return // it comes up
	}
	if why := s.h.lost(phase, a); why != "" {
		s.h.loseSession(phase, "a request of it was lost: "+why)
		return
	}
	if opened && s.connected {
		s.h.session.Reconnects++
	}
	s.connected = true
	for _, c := range given {
		before, had := sent[c.Name]
		switch {
		case !had || before == c.Value && c.MaxAge >= 0 || s.turns[c.Name]:
		case phase == rehearsal.Before:
			s.turns[c.Name] = true
		case c.MaxAge < 0 || c.Value == "":
			s.h.loseSession(phase, fmt.Sprintf("the cookie %s was taken back", c.Name))
		default:
			s.h.loseSession(phase, fmt.Sprintf("the cookie %s was given anew", c.Name))
		}
	}
}

// loseSession notes the first that broke the session, if it was not the base; the caller holds the lock.
func (h *host) loseSession(phase rehearsal.Phase, why string) {
	if phase != rehearsal.Before && h.session.Kept {
		h.sessionLost = time.Now()
		h.session = rehearsal.Session{Why: why, Phase: phase, Reconnects: h.session.Reconnects}
	}
}
