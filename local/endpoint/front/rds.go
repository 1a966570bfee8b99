package front

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
)

// Snapshots keeps what is in the databases of instances, of which moto has the names alone.
type Snapshots interface {
	KeepSnapshot(ctx context.Context, instance, snapshot string) error
	ForgetSnapshot(ctx context.Context, snapshot string) error
}

// rds lets moto decide about the calls that make and remove snapshots, and does what it took. False: it is another call.
func (f *Front) rds(w http.ResponseWriter, r *http.Request) bool {
	if f.opt.Snapshots == nil || r.Method != http.MethodPost {
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)) // RDS has no larger calls
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		writeFailure(w, fail(http.StatusBadRequest, "InvalidParameterValue", "the request cannot be read: %v", err))
		return true
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return false
	}
	act := map[string]func(context.Context) error{
		"CreateDBSnapshot": func(ctx context.Context) error {
			return f.opt.Snapshots.KeepSnapshot(ctx, form.Get("DBInstanceIdentifier"), form.Get("DBSnapshotIdentifier"))
		},
		"DeleteDBSnapshot": func(ctx context.Context) error {
			return f.opt.Snapshots.ForgetSnapshot(ctx, form.Get("DBSnapshotIdentifier"))
		},
	}[form.Get("Action")]
	if act == nil {
		return false
	}
	answer, ok := f.ask(w, r, body)
	if !ok {
		return true
	}
	if err := act(r.Context()); err != nil {
		f.opt.Log.Error("snapshot", "action", form.Get("Action"), "error", err)
		writeFailure(w, err)
		return true
	}
	_, _ = w.Write(answer)
	return true
}
