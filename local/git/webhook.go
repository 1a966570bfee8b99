package git

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Webhook announces pushes as GitHub does (docs.github.com/webhooks/webhook-events-and-payloads#push).
type Webhook struct {
	// URL resolves the receiver's address. It is called before each attempt: Flux chooses the path
	// (Receiver.status.webhookPath) once the Receiver and its token exist, and again when the token changes.
	URL func(context.Context) (string, error)
	// Host replaces the Host header when the URL names an address instead of the public name. Empty: the URL's.
	Host string
	// Token resolves the shared secret that signs the body. It is called before each attempt.
	Token func(context.Context) (string, error)
	// Client sends the requests. Nil: http.DefaultClient.
	Client *http.Client
	// Owner is the account part of the repository's full name; default "local".
	Owner string
	// CloneURL is the address of the repositories; default http://git.localhost, giving
	// http://git.localhost/platform.git.
	CloneURL string
	// Patience is how long Send tries. Default: 60 s.
	Patience time.Duration
}

const (
	defaultPatience = time.Minute
	firstPause      = 200 * time.Millisecond
	longestPause    = 5 * time.Second
	attemptTimeout  = 10 * time.Second
)

// Send posts the push. It tries again, with growing pauses, while the receiver cannot be resolved or reached, or
// answers 404, 408, 429 or 5xx: at first start the receiver comes up after the push. Any other answer is final, as is
// the end of ctx. The error names the last cause.
func (w Webhook) Send(ctx context.Context, p Push) error {
	body, err := json.Marshal(w.payload(p, time.Now()))
	if err != nil {
		return err
	}
	delivery := guid()
	patience := w.Patience
	if patience <= 0 {
		patience = defaultPatience
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := w.attempt(limit, delivery, body)
		var final finalError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return fmt.Errorf("webhook for %s: %w", p.Ref, err)
		case ctx.Err() != nil:
			return fmt.Errorf("webhook for %s: %w", p.Ref, context.Cause(ctx))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("webhook for %s: %w", p.Ref, context.Cause(ctx))
		case <-limit.Done():
			return fmt.Errorf("webhook for %s: gave up after %s: %w; Flux will notice the push at its next interval", p.Ref, patience, err)
		case <-time.After(pause):
		}
	}
}

// finalError is an answer that trying again does not change.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func (w Webhook) attempt(ctx context.Context, delivery string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	url, err := w.URL(ctx)
	if err != nil {
		return fmt.Errorf("address of the receiver: %w", err)
	}
	token, err := w.Token(ctx)
	if err != nil {
		return fmt.Errorf("token of the receiver: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return finalError{err}
	}
	if w.Host != "" {
		req.Host = w.Host
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "GitHub-Hookshot/local")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-GitHub-Delivery", delivery)
	req.Header.Set("X-Hub-Signature-256", Sign(token, body))
	client := w.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	return verdict(resp.StatusCode, resp.Status, strings.TrimSpace(string(text)))
}

func verdict(code int, status, text string) error {
	if code/100 == 2 {
		return nil
	}
	err := fmt.Errorf("receiver answered %s", status)
	if text != "" {
		err = fmt.Errorf("receiver answered %s: %s", status, text)
	}
	switch {
	case code == http.StatusNotFound, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return err
	}
	return finalError{err}
}

// Sign returns the value of the X-Hub-Signature-256 header for body.
func Sign(token string, body []byte) string {
	m := hmac.New(sha256.New, []byte(token))
	m.Write(body)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

// guid is a random UUID (RFC 9562 version 4), which GitHub uses for deliveries.
func guid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// event is the part of GitHub's push event that receivers read.
type event struct {
	Ref        string     `json:"ref"`
	Before     string     `json:"before"`
	After      string     `json:"after"`
	Created    bool       `json:"created"`
	Deleted    bool       `json:"deleted"`
	Forced     bool       `json:"forced"`
	BaseRef    *string    `json:"base_ref"`
	Compare    string     `json:"compare"`
	Commits    []commit   `json:"commits"`
	HeadCommit *commit    `json:"head_commit"`
	Repository repository `json:"repository"`
	Pusher     person     `json:"pusher"`
	Sender     sender     `json:"sender"`
}

type commit struct {
	ID        string    `json:"id"`
	Message   string    `json:"message"`
	Timestamp time.Time `json:"timestamp"`
	Author    person    `json:"author"`
}

type repository struct {
	ID            int    `json:"id"`
	Name          string `json:"name"`
	FullName      string `json:"full_name"`
	Private       bool   `json:"private"`
	HTMLURL       string `json:"html_url"`
	CloneURL      string `json:"clone_url"`
	DefaultBranch string `json:"default_branch"`
	Owner         person `json:"owner"`
}

type person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type sender struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

func (w Webhook) payload(p Push, now time.Time) event {
	owner, base := w.Owner, strings.TrimSuffix(w.CloneURL, "/")
	if owner == "" {
		owner = "local"
	}
	if base == "" {
		base = "http://git.localhost"
	}
	who := person{Name: owner, Email: owner + "@localhost"}
	html := base + "/" + p.Repository
	e := event{
		Ref: p.Ref, Before: p.Before, After: p.After, Created: p.Created(), Deleted: p.Deleted(),
		Compare: html + "/compare/" + p.Before + "..." + p.After, Commits: []commit{},
		Repository: repository{
			ID: 1, Name: p.Repository, FullName: owner + "/" + p.Repository, Private: true, HTMLURL: html,
			CloneURL: html + ".git", DefaultBranch: DefaultBranch, Owner: who,
		},
		Pusher: who, Sender: sender{Login: owner, Type: "User"},
	}
	if !p.Deleted() {
		e.HeadCommit = &commit{ID: p.After, Timestamp: now.UTC(), Author: who}
	}
	return e
}
