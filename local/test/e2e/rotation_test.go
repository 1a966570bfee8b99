//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"k8s-plus-aws-gitops/internal/rotate"
	"k8s-plus-aws-gitops/local/database"
)

// newPasswordWithin is how long it may take until pods run with a new password, in seconds.
const newPasswordWithin = 60

// rotates changes the password of Ghost's database twice while Ghost is asked for its front page. After the first time both
// passwords work, and Ghost's connections are the new user's; after the second time the one that was there at first is refused.
func (s *system) rotates(ctx context.Context) (string, error) {
	first, err := s.databaseLogin(ctx)
	if err != nil {
		return "", err
	}
	load := s.startLoad(ctx)
	seconds, err := s.rotateTwice(ctx, first)
	total, failed := load()
	switch {
	case err != nil:
	case total == 0:
		err = errors.New("no request was made during the rotation")
	case len(failed) > 0:
		err = fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
	}
	return fmt.Sprintf("pods run with a new password after %s s; %d requests, %d failed; the first password is refused", strings.Join(seconds, " and "), total, len(failed)), err
}

func (s *system) rotateTwice(ctx context.Context, first databaseLogin) ([]string, error) {
	var took []string
	before := first
	for range 2 {
		out, err := s.gitops(ctx, "rotate", "ghost", "--env", "local", "--output", "json")
		if err != nil {
			return took, err
		}
		var result rotate.Result
		if err := json.Unmarshal([]byte(out), &result); err != nil {
			return took, err
		}
		took = append(took, fmt.Sprintf("%.0f", result.RunsAfter))
		if result.RunsAfter > newPasswordWithin {
			return took, fmt.Errorf("pods run with the new password after %.0f s, want %d", result.RunsAfter, newPasswordWithin)
		}
		now, err := s.databaseLogin(ctx)
		if err != nil {
			return took, err
		}
		if now.Username == before.Username || now.Password == before.Password {
			return took, fmt.Errorf("the secret names %s as before", now.Username)
		}
		if err := s.connectedAs(ctx, now.Username, before.Username); err != nil {
			return took, err
		}
		if _, err := s.count(ctx, before, "SELECT 1"); err != nil {
			return took, fmt.Errorf("the former password: %w", err)
		}
		before = now
	}
	_, err := s.count(ctx, first, "SELECT 1")
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1045 {
		return took, fmt.Errorf("the first password after two rotations: got %w, want it refused", errors.Join(err, errors.New("no refusal")))
	}
	return took, nil
}

// renews changes the passwords of the services' databases, of either engine, twice: each of the two users has its turn, and finds what
// the other one has made.
func (s *system) renews(ctx context.Context) error {
	for _, name := range []string{"orders", "ledger", "orders", "ledger"} {
		before, err := s.login(ctx, "/local/"+name+"/database-user")
		if err != nil {
			return err
		}
		if _, err := s.gitops(ctx, "rotate", name, "--env", "local"); err != nil {
			return err
		}
		after, err := s.login(ctx, "/local/"+name+"/database-user")
		if err != nil {
			return err
		}
		if after.Username == before.Username || after.Password == before.Password {
			return fmt.Errorf("%s: after a rotation the secret names %s as before", name, after.Username)
		}
		if err := s.answers(ctx, name, "/", map[string]string{"orders": strings.Replace(served, "a kettle", "a teapot", 1), "ledger": served}[name]); err != nil {
			return err
		}
	}
	return nil
}

// connectedAs looks, as the server's administrator, who is connected: Ghost as the one user and, once the former pod has ended, not
// as the other. A pod that is no longer sent requests takes a minute and a half at most.
func (s *system) connectedAs(ctx context.Context, user, not string) error {
	password, err := database.AdminPassword(s.dir.Path("database"))
	if err != nil {
		return err
	}
	admin, err := s.databaseLogin(ctx)
	if err != nil {
		return err
	}
	admin.Username, admin.Password, admin.DBName = database.AdminUser, password, ""
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		const query = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = ?"
		some, err := s.count(ctx, admin, query, user)
		if err != nil {
			return err
		}
		left, err := s.count(ctx, admin, query, not)
		if err != nil {
			return err
		}
		if some > 0 && left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d connections are those of %s, and %d still those of %s", some, user, left, not)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
