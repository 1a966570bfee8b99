//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

// lost is the backup with which the environment comes again: a snapshot outside of every stack, as AWS Backup makes them.
const lost = "ghost-before-it-is-lost"

// backup writes a row, makes a snapshot of it, and writes another one, which is lost.
func (s *system) backup(ctx context.Context) (string, error) {
	conn, _, err := s.database(ctx, "/local/ghost/database")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	for _, statement := range []string{"CREATE TABLE IF NOT EXISTS kept (id INT PRIMARY KEY)", "DELETE FROM kept", "INSERT INTO kept VALUES (42)"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return "", err
		}
	}
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	if _, err := rds.NewFromConfig(c).CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{DBInstanceIdentifier: aws.String("local-ghost"), DBSnapshotIdentifier: aws.String(lost)}); err != nil {
		return "", err
	}
	_, err = conn.ExecContext(ctx, "INSERT INTO kept VALUES (43)")
	return "", err
}

// comesAgain walks the guide's way from an account without the environment and a backup to what it was: the snapshot is named in
// Git, and the first deployment makes the rest.
func (s *system) comesAgain(ctx context.Context) (string, error) {
	if err := s.configure("local", func(e map[string]any) { e["ghost"].(map[string]any)["snapshot"] = lost }); err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := s.gitops(ctx, "local", "push", "--message", "Make the database of what was kept", "--no-wait"); err != nil {
		return "", err
	}
	defer s.approving(ctx)()
	if _, err := s.gitops(ctx, "local", "up"); err != nil {
		return "", err
	}
	if _, err := s.serves(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	conn, _, err := s.database(ctx, "/local/ghost/database")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	kept := ""
	if err := conn.QueryRowContext(ctx, "SELECT GROUP_CONCAT(id) FROM kept").Scan(&kept); err != nil || kept != "42" {
		return "", errors.Join(err, fmt.Errorf("the rows are %s, want 42, which the snapshot has", kept))
	}
	ready, err := s.settled(ctx)
	return fmt.Sprintf("Ghost and its rows are back after %.0f s; %s", took.Seconds(), ready), err
}

// approving says yes to whatever waits, until the returned function is called: the environment asks for approvals, and its first
// deployment, for which `up` waits, is one.
func (s *system) approving(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(3 * time.Second):
				// As long as nothing waits, there is nothing to say yes to.
				_, _ = s.gitops(ctx, "local", "approve", "local-deploy", "--message", "scenario")
			}
		}
	}()
	return func() { cancel(); <-ended }
}
