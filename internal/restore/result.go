package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// signingIn is how long a new password may take until the server knows it.
const signingIn = 5 * time.Minute

// Row is a table of the restored database, and of the one that it is of as that is now.
type Row struct {
	Table string `json:"table"`
	// Restored is nil for a table that the restored database has not, and Now for one that the other has not, or if it was not
	// looked at.
	Restored *int64 `json:"restored"`
	Now      *int64 `json:"now"`
}

// Result is what was restored, and what is in it.
type Result struct {
	Name string `json:"name"`
	From string `json:"from"`
	Into string `json:"into"`
	Plan
	Tables []Row `json:"tables"`
	// Uncompared says why the database that the backup is of was not counted, too; empty if it was.
	Uncompared string `json:"uncompared,omitempty"`
	// Seconds until the database answered, and until its tables were counted.
	RestoredAfter float64 `json:"restoredAfterSeconds"`
	ProvenAfter   float64 `json:"provenAfterSeconds"`
	// Kept is a snapshot of it.
	Kept    string `json:"kept,omitempty"`
	Removed bool   `json:"removed"`
}

// count fills in the tables.
func (r *Restore) count(ctx context.Context, login Login, result *Result) error {
	signing, cancel := context.WithTimeoutCause(ctx, signingIn, fmt.Errorf("not let in after %s", signingIn))
	defer cancel()
	var restored []Table
	var last error
	err := until(signing, r.Every, func() (bool, error) {
		// Counting has as long as the caller has; it is the signing in that is tried again.
		restored, last = r.Look(ctx, login)
		var refused *SignInError
		if errors.As(last, &refused) {
			return false, nil
		}
		return last == nil, last
	})
	if err != nil {
		return errors.Join(err, last)
	}
	var now []Table
	if r.Now == nil {
		result.Uncompared = "it was not asked for"
	} else if now, err = r.Now(ctx); err != nil {
		result.Uncompared = err.Error()
	}
	result.Tables = rows(restored, now)
	return ctx.Err()
}

// rows are the tables of both, by name.
func rows(restored, now []Table) []Row {
	all := []Row{}
	at := func(name string) *Row {
		i := slices.IndexFunc(all, func(r Row) bool { return r.Table == name })
		if i < 0 {
			all, i = append(all, Row{Table: name}), len(all)
		}
		return &all[i]
	}
	for _, t := range restored {
		at(t.Name).Restored = &t.Rows
	}
	for _, t := range now {
		at(t.Name).Now = &t.Rows
	}
	slices.SortFunc(all, func(a, b Row) int { return strings.Compare(a.Table, b.Table) })
	return all
}

// Doubt is why the backup proves nothing; nil: it does. A table that holds rows and was restored without any, or not at all, is
// one that the backup lacks, or one that is younger.
func (r Result) Doubt() error {
	held, lost := int64(0), []string{}
	for _, row := range r.Tables {
		if row.Restored != nil {
			held += *row.Restored
		}
		if row.Now != nil && *row.Now > 0 && (row.Restored == nil || *row.Restored == 0) {
			lost = append(lost, row.Table)
		}
	}
	switch {
	case len(lost) > 0:
		return fmt.Errorf("the backup has no row of %s, where there are some now", strings.Join(lost, ", "))
	case held == 0:
		return errors.New("no table of the backup has a row")
	}
	return nil
}

// Print writes the tables for people.
func (r Result) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tRESTORED\tNOW")
	number := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprint(*n)
	}
	for _, row := range r.Tables {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.Table, number(row.Restored), number(row.Now))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Uncompared != "" {
		fmt.Fprintf(out, "What is there now was not counted: %s\n", r.Uncompared)
	}
	_, err := fmt.Fprintf(out, "Restored %s after %.0f s, counted after %.0f s.\n", r.Point, r.RestoredAfter, r.ProvenAfter)
	return err
}
