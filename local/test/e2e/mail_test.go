//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/endpoint/mailbox"
	"k8s-plus-aws-gitops/local/system/observe"
)

// What staff use of Ghost's Admin API.
const (
	admin    = "/ghost/api/admin"
	owner    = "owner@example.com"
	author   = "author@example.com"
	password = "correct horse battery staple"
	// sender is the one address that the role of Ghost's pods may send from.
	sender = "<noreply@ghost.localhost>"
	// mailIsOff is the host that stands for no mail: k8s/apps/ghost/mail/none.
	mailIsOff = "mail-is-off.invalid"
)

// browser is another browser: it has no cookie of Ghost.
func (s *system) browser() *system { return &system{dir: s.dir} }

// call asks Ghost's Admin API and expects a status.
func (s *system) call(ctx context.Context, method, path string, body any, want int) (string, error) {
	code, text, err := s.request(ctx, method, "ghost", admin+path, body)
	if err == nil && code != want {
		err = fmt.Errorf("%s %s answers %d, want %d: %.300s", method, path, code, want, text)
	}
	return text, err
}

// signIn sends a user's password; with a wanted 403 Ghost asks for the code that it mailed.
func (s *system) signIn(ctx context.Context, user string, want int) error {
	text, err := s.call(ctx, http.MethodPost, "/session/", map[string]string{"username": user, "password": password}, want)
	if err == nil && want == http.StatusForbidden && !strings.Contains(text, "2FA_NEW_DEVICE_DETECTED") {
		err = fmt.Errorf("the refusal is about something else: %.300s", text)
	}
	return err
}

// signedIn fails unless Ghost knows the browser's user.
func (s *system) signedIn(ctx context.Context, user string) error {
	text, err := s.call(ctx, http.MethodGet, "/users/me/?include=roles", nil, http.StatusOK)
	if err == nil && !strings.Contains(text, user) {
		err = fmt.Errorf("signed in as somebody else: %.300s", text)
	}
	return err
}

// mailTo is the newest mail to a user with these words in its subject.
func (s *system) mailTo(ctx context.Context, user, words string) (mailbox.Message, error) {
	out, err := s.gitops(ctx, "local", "mail", "--output", "json")
	if err != nil {
		return mailbox.Message{}, err
	}
	var all []mailbox.Message
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return mailbox.Message{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if m := all[i]; strings.Contains(m.To, user) && strings.Contains(m.Subject, words) {
			if !strings.Contains(m.From, sender) {
				return m, fmt.Errorf("%q comes from %s, want %s", m.Subject, m.From, sender)
			}
			return m, nil
		}
	}
	return mailbox.Message{}, fmt.Errorf("no mail to %s says %q, of %d", user, words, len(all))
}

// secondBrowser signs the owner in where Ghost has not seen them before, with the code from the mail.
func (s *system) secondBrowser(ctx context.Context) (string, error) {
	second := s.browser()
	if err := second.signIn(ctx, owner, http.StatusForbidden); err != nil {
		return "", err
	}
	m, err := s.mailTo(ctx, owner, "sign in verification code")
	if err != nil {
		return "", err
	}
	code, _, _ := strings.Cut(m.Subject, " ")
	if _, err := second.call(ctx, http.MethodPut, "/session/verify/", map[string]string{"token": code}, http.StatusOK); err != nil {
		return "", err
	}
	return "from " + m.From, second.signedIn(ctx, owner)
}

// invitation is the token in the link of an invitation.
var invitation = regexp.MustCompile(`/signup/([A-Za-z0-9_=-]+)/`)

// invite invites an author.
func (s *system) invite(ctx context.Context, email string, want int) (string, error) {
	text, err := s.call(ctx, http.MethodGet, "/roles/?limit=all", nil, http.StatusOK)
	if err != nil {
		return "", err
	}
	var known struct{ Roles []struct{ ID, Name string } }
	if err := json.Unmarshal([]byte(text), &known); err != nil {
		return "", err
	}
	role := ""
	for _, r := range known.Roles {
		if r.Name == "Author" {
			role = r.ID
		}
	}
	return s.call(ctx, http.MethodPost, "/invites/", map[string]any{"invites": []any{map[string]string{"email": email, "role_id": role}}}, want)
}

// invites invites an author, who opens the link in the mail and signs in.
func (s *system) invites(ctx context.Context) (string, error) {
	if _, err := s.invite(ctx, author, http.StatusCreated); err != nil {
		return "", err
	}
	m, err := s.mailTo(ctx, author, "has invited you to join")
	if err != nil {
		return "", err
	}
	link := invitation.FindStringSubmatch(m.Text)
	if link == nil {
		return "", fmt.Errorf("no link in the invitation: %.500s", m.Text)
	}
	theirs := s.browser()
	accepted := map[string]string{"token": link[1], "email": author, "name": "Author", "password": password}
	if _, err := theirs.call(ctx, http.MethodPost, "/authentication/invitation/", map[string]any{"invitation": []any{accepted}}, http.StatusOK); err != nil {
		return "", err
	}
	if err := theirs.signIn(ctx, author, http.StatusCreated); err != nil {
		return "", err
	}
	return m.Subject, theirs.signedIn(ctx, author)
}

// withoutMail turns mail off: the identity goes, and a password is enough to sign in from anywhere.
func (s *system) withoutMail(ctx context.Context) (string, error) {
	err := s.configure("local", func(at map[string]any) {
		ghost, ok := at["ghost"].(map[string]any)
		if !ok {
			ghost = map[string]any{}
			at["ghost"] = ghost
		}
		ghost["mail"] = map[string]any{"transport": "none"}
	})
	if err == nil {
		err = s.push(ctx, "Turn mail off")
	}
	if err != nil {
		return "", err
	}
	// The facts follow the stack, and the pods follow the facts.
	err = until(ctx, 10*time.Minute, "Ghost to run without mail", func() error {
		c, err := observe.Open(s.dir.Kubeconfig())
		if err != nil {
			return err
		}
		d, err := c.Kube.AppsV1().Deployments("ghost").Get(ctx, "ghost", metav1.GetOptions{})
		if err == nil && !slices.ContainsFunc(d.Spec.Template.Spec.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Value == mailIsOff }) {
			err = errors.New("the Deployment still sends mail")
		}
		return err
	})
	if err == nil {
		_, err = s.settled(ctx)
	}
	if err != nil {
		return "", err
	}
	third := s.browser()
	if err := errors.Join(third.signIn(ctx, owner, http.StatusCreated), third.signedIn(ctx, owner)); err != nil {
		return "", err
	}
	// What cannot be sent must not look as if it were.
	text, err := s.invite(ctx, "late@example.com", http.StatusInternalServerError)
	if err == nil && !strings.Contains(text, mailIsOff) {
		err = fmt.Errorf("the error does not name %s: %.300s", mailIsOff, text)
	}
	if err != nil {
		return "", err
	}
	// With mail again: the roles are judged at the end by what they allow then.
	if err := s.configure("local", func(at map[string]any) { delete(at["ghost"].(map[string]any), "mail") }); err != nil {
		return "", err
	}
	return "a password is enough", s.push(ctx, "Turn mail on again")
}
