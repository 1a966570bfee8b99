//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const ledger = "k8s/services/ledger.yaml"

// migrates adds a service whose database's schema goes forward by expand and contract, back over expand by the reverts that gitops
// rollback prepares, and not over contract, which both it and Plan refuse.
func (s *system) migrates(ctx context.Context) (string, error) {
	if err := s.publishByMerge(ctx, true); err != nil {
		return "", err
	}
	if _, err := s.gitops(ctx, "service", "add", "ledger", "--image", "ghcr.io/nodezoo/nodezoo-npm:1.0.0", "--health", "/healthz", "--database", "mysql"); err != nil {
		return "", err
	}
	var committed [5]string
	for version, m := range []struct{ phase, sql string }{
		{"expand", "CREATE TABLE IF NOT EXISTS ledger (id INT PRIMARY KEY, old INT)"},
		{"contract", "ALTER TABLE ledger DROP COLUMN IF EXISTS old"},
	} {
		var err error
		if committed[version+1], err = s.migrate(ctx, version+1, m.phase, m.sql); err != nil {
			return "", fmt.Errorf("schema %d: %w", version+1, err)
		}
	}
	if err := s.hasColumns(ctx, "id"); err != nil {
		return "", err
	}
	if err := s.notOverContract(ctx, committed[1]); err != nil {
		return "", err
	}
	if _, err := s.migrate(ctx, 3, "expand", "ALTER TABLE ledger ADD COLUMN IF NOT EXISTS note VARCHAR(40)"); err != nil {
		return "", fmt.Errorf("schema 3: %w", err)
	}
	if err := s.hasColumns(ctx, "id", "note"); err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.overExpand(ctx, committed[2]); err != nil {
		return "", err
	}
	back := time.Since(began)
	if _, err := s.gitops(ctx, "service", "remove", "ledger"); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Remove ledger"); err != nil {
		return "", err
	}
	// The schema stays with the database, and a second run begins without one.
	if _, err := s.gitops(ctx, "teardown", "local", "--stack", "ledger", "--yes"); err != nil {
		return "", err
	}
	return fmt.Sprintf("back over expand in %.0f s", back.Seconds()), s.publishByMerge(ctx, false)
}

// migrate writes a migration into the service's file, and returns the commit that brought it once that is deployed.
func (s *system) migrate(ctx context.Context, version int, phase, sql string) (string, error) {
	if err := s.writeMigration(version, phase, sql); err != nil {
		return "", err
	}
	if err := s.push(ctx, fmt.Sprintf("Bring the ledger to schema %d", version)); err != nil {
		return "", err
	}
	st, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	return st.Commit, nil
}

func (s *system) writeMigration(version int, phase, sql string) error {
	file := filepath.Join(s.repo, ledger)
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, _, _ := strings.Cut(string(content), "environment:\n")
	before += fmt.Sprintf("environment:\n  MIGRATION: %q\nmigrate:\n  version: %d\n  phase: %s\n  image: ghcr.io/nodezoo/nodezoo-migrations:1.0.0\n  command: [migrate, \"%d\"]\n", sql, version, phase, version)
	return os.WriteFile(file, []byte(before), 0o644)
}

// hasColumns fails unless the table has these columns.
func (s *system) hasColumns(ctx context.Context, want ...string) error {
	conn, name, err := s.database(ctx, "/local/ledger/database")
	if err != nil {
		return err
	}
	defer conn.Close()
	var got string
	err = conn.QueryRowContext(ctx, "SELECT COALESCE(GROUP_CONCAT(column_name ORDER BY column_name), '') FROM information_schema.columns WHERE table_schema = ? AND table_name = 'ledger'", name).Scan(&got)
	if err == nil && got != strings.Join(want, ",") {
		err = fmt.Errorf("the table has the columns %s, want %s", got, strings.Join(want, ","))
	}
	return err
}

// notOverContract goes back by gitops rollback, and by a file of old.
func (s *system) notOverContract(ctx context.Context, to string) error {
	const says = "schema 2 is of phase contract"
	out, err := s.gitops(ctx, "rollback", "local", "--to", to)
	if err == nil || !strings.Contains(out+err.Error(), says) {
		return fmt.Errorf("the rollback over a contract says %s, %w", out, err)
	}
	if err := s.writeMigration(1, "expand", "CREATE TABLE IF NOT EXISTS ledger (id INT PRIMARY KEY, old INT)"); err != nil {
		return err
	}
	if err := s.push(ctx, "Back over a contract"); err == nil || !strings.Contains(err.Error(), says) {
		return fmt.Errorf("the push over a contract: %w", err)
	}
	return nil
}

// overExpand merges what gitops rollback prepares. The column stays.
func (s *system) overExpand(ctx context.Context, to string) error {
	out, err := s.gitops(ctx, "rollback", "local", "--output", "json")
	if err != nil {
		return err
	}
	var r struct {
		To, Head string
		Pushed   bool
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	if r.To != to || !r.Pushed || r.Head == "" {
		return fmt.Errorf("the rollback is %+v, want to %s", r, to)
	}
	clone, err := s.fetch(ctx, "rollback")
	if err != nil {
		return err
	}
	defer os.RemoveAll(clone)
	for _, args := range [][]string{{"merge", "--quiet", "--ff-only", "origin/" + r.Head}, {"push", "--quiet", "origin", "HEAD:main"}, {"push", "--quiet", "--delete", "origin", r.Head}} {
		if _, err := s.git(ctx, clone, args...); err != nil {
			return err
		}
	}
	content, err := os.ReadFile(filepath.Join(clone, ledger))
	if err != nil {
		return err
	}
	if !strings.Contains(string(content), "version: 2\n") {
		return errors.New("the rollback does not lead to schema 2")
	}
	// The checkout follows, and a push tells it so.
	if err := os.WriteFile(filepath.Join(s.repo, ledger), content, 0o644); err != nil {
		return err
	}
	if _, err := s.gitops(ctx, "local", "push"); err != nil {
		return err
	}
	if err := until(ctx, 25*time.Minute, "the rollback to be deployed", func() error {
		_, err := s.ranAtLeast(ctx, []string{"deploy Succeeded"})
		return err
	}); err != nil {
		return err
	}
	if err := s.runs(ctx, "ledger", ""); err != nil {
		return err
	}
	return s.hasColumns(ctx, "id", "note")
}
