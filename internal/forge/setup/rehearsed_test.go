package setup

import (
	"strings"
	"testing"
)

// The check of a rehearsal is required where it is asked for, and stays: a run that does not name it takes nothing stricter away.
func TestRehearsed(t *testing.T) {
	contexts := func(w *world, branch string) string {
		return text(t, rulesOf(w.named(t, "gitops: review of "+branch))["required_status_checks"]["required_status_checks"])
	}
	w := newWorld(t)
	w.apply(t)
	const alone, both = `[{"context":"gitops/review"}]`, `[{"context":"gitops/review"},{"context":"gitops/rehearsal"}]`
	if got := contexts(w, "dev"); got != alone {
		t.Errorf("not asked for: %s", got)
	}
	w.options.Rehearsed = []string{"dev"}
	if p := w.apply(t); p.Changes() != 1 || contexts(w, "dev") != both {
		t.Errorf("asked for: %+v, %s", p.Items, contexts(w, "dev"))
	}
	w.options.Rehearsed = nil
	if p := w.apply(t); p.Changes() != 0 || contexts(w, "dev") != both {
		t.Errorf("asked for no more: %+v, %s", p.Items, contexts(w, "dev"))
	}
	w.options.Rehearsed = []string{"staging2"}
	if _, err := Desire(t.Context(), w.options); err == nil || !strings.Contains(err.Error(), "--require-rehearsal staging2: must be an environment") {
		t.Error(err)
	}
}
