package handler

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// event is what Flux tells: https://fluxcd.io/flux/components/notification/events/#event-structure
type event struct {
	InvolvedObject            struct{ Kind, Namespace, Name string }
	Severity, Reason, Message string
	Timestamp                 string
	Metadata                  map[string]string
}

// read reads an event, which is about an object and has a message.
func read(body []byte) (event, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return e, err
	}
	if e.InvolvedObject.Kind == "" || e.InvolvedObject.Name == "" || e.Message == "" {
		return e, errors.New("it must have involvedObject.kind, involvedObject.name and message")
	}
	return e, nil
}

// object names what the event is about.
func (e event) object() string {
	o := e.InvolvedObject
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// revision is that of the source, as <branch>@sha1:<commit>, or the version of a chart.
func (e event) revision() string { return cmp.Or(e.Metadata["revision"], e.Metadata["originRevision"]) }

// subjectLimit is SNS's, which also takes nothing but ASCII without line breaks:
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const subjectLimit = 100

// subject begins with what docs/guides/alerts.md lists.
func (e event) subject(environment string) string {
	whole := fmt.Sprintf("FLUX %s %s: %s: %s", strings.ToUpper(cmp.Or(e.Severity, "event")), environment, e.object(), e.Reason)
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.TrimSuffix(whole, ": "))
	if len(plain) > subjectLimit {
		plain = plain[:subjectLimit-3] + "..."
	}
	return plain
}

// text says what happened, and what to do.
func (e event) text(environment string) string {
	var b strings.Builder
	for _, line := range []struct{ name, value string }{
		{"Environment", environment}, {"Object", e.object()}, {"Severity", e.Severity}, {"Reason", e.Reason}, {"Revision", e.revision()}, {"Time", e.Timestamp},
	} {
		if line.value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", line.name+":", line.value)
		}
	}
	o := e.InvolvedObject
	fmt.Fprintf(&b, `
%s

What to do: its conditions have the cause, and the status has what waits for it.

    kubectl -n %s describe %s/%s
    bin/gitops status %s

Flux tries again by itself. What had been applied keeps running.
docs/guides/alerts.md has the rest.
`, strings.TrimSpace(e.Message), o.Namespace, strings.ToLower(o.Kind), o.Name, environment)
	return b.String()
}

// quiet is how long the same is not told again. Flux itself tells it every five minutes while it lasts:
// https://fluxcd.io/flux/components/notification/options/ (--rate-limit-interval)
const quiet = time.Hour

// told is what this process has published. It is gone with the process, a while after the last call, and then the same is told
// once more: a place that outlives it would be one more thing to pay, to protect and to have rights on.
type told struct {
	now func() time.Time
	at  map[string]time.Time
}

// same is equal for events that say the same at different times.
func same(e event) string {
	return strings.Join([]string{e.object(), e.Severity, e.Reason, e.Message, e.revision()}, "\x00")
}

// lately forgets what is older than quiet, and reports whether the rest has the event.
func (t told) lately(e event) bool {
	for key, at := range t.at {
		if t.now().Sub(at) >= quiet {
			delete(t.at, key)
		}
	}
	_, is := t.at[same(e)]
	return is
}

func (t told) remember(e event) { t.at[same(e)] = t.now() }
