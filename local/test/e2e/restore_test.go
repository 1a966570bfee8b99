//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"k8s-plus-aws-gitops/internal/restore"
)

// restores looks into a snapshot of Ghost's database, compares it with the one that runs, and keeps what was proven. The database
// that runs is as before, and nothing else is left.
func (s *system) restores(ctx context.Context) (string, error) {
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	client := rds.NewFromConfig(c)
	made := &rds.CreateDBSnapshotInput{DBInstanceIdentifier: aws.String("local-ghost"), DBSnapshotIdentifier: aws.String("ghost-before-restore")}
	if _, err := client.CreateDBSnapshot(ctx, made); err != nil {
		return "", err
	}
	said, err := s.gitops(ctx, "restore", "ghost", "--env", "local", "--snapshots", "--keep", "-o", "json")
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, said)
	}
	var result restore.Result
	if err := json.Unmarshal([]byte(said), &result); err != nil {
		return "", fmt.Errorf("%w: %s", err, said)
	}
	rows, compared := int64(0), 0
	for _, t := range result.Tables {
		if t.Restored == nil {
			return "", fmt.Errorf("table %s was not restored", t.Table)
		}
		rows += *t.Restored
		if t.Now != nil {
			compared++
		}
	}
	switch {
	case rows == 0 || compared != len(result.Tables) || result.Uncompared != "":
		return "", fmt.Errorf("%d rows, %d of %d tables compared: %s", rows, compared, len(result.Tables), said)
	case !result.Removed || result.Kept == "":
		return "", fmt.Errorf("removed %t, kept %q", result.Removed, result.Kept)
	}
	var gone *types.DBInstanceNotFoundFault
	if _, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String("local-ghost-restored")}); !errors.As(err, &gone) {
		return "", fmt.Errorf("local-ghost-restored is left: %w", err)
	}
	for _, id := range []string{*made.DBSnapshotIdentifier, result.Kept} {
		if _, err := client.DeleteDBSnapshot(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: &id}); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d rows in %d tables, counted after %.1f s", rows, len(result.Tables), result.ProvenAfter), nil
}
