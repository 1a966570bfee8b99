package infrastructure

import (
	"slices"
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/policy"
)

// Both plans choose by tag and environment. Databases are not continuous, which would take their retention from CloudFormation;
// buckets are, for no longer than AWS Backup can.
func TestBackup(t *testing.T) {
	env := cdktest.Environment(t)
	env.DeletionProtection, env.Backup.Days, env.Backup.CopyTo = true, 90, "eu-central-1"
	stack := cdktest.Stack(t, env)
	props := &BackupProps{Env: env, Key: key(stack)}
	NewBackup(stack, "Backup", props)
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::Backup::BackupVault", map[string]any{"BackupVaultName": "dev", "EncryptionKeyArn": "arn:aws:kms:eu-west-1:111111111111:key/1"})
	there := "arn:aws:backup:eu-central-1:111111111111:backup-vault:dev"
	for name, days := range map[string]int{"dev-databases": 90, "dev-buckets": 35} {
		rule := map[string]any{
			"RuleName": "daily", "ScheduleExpression": "cron(0 5 * * ? *)", "Lifecycle": map[string]any{"DeleteAfterDays": days},
			"CopyActions": []any{map[string]any{"DestinationBackupVaultArn": there, "Lifecycle": map[string]any{"DeleteAfterDays": 90}}},
		}
		if name == "dev-buckets" {
			rule["EnableContinuousBackup"] = true
		}
		template.Has("AWS::Backup::BackupPlan", map[string]any{"BackupPlan": with(map[string]any{"BackupPlanName": name, "BackupPlanRule": list(with(rule))})})
	}
	template.Has("AWS::Backup::BackupSelection", map[string]any{"BackupSelection": with(map[string]any{
		"Resources": []any{env.ARN("rds", "db:dev-*"), env.ARN("dynamodb", "table/dev-*")},
		"Conditions": map[string]any{"StringEquals": []any{
			map[string]any{"ConditionKey": "aws:ResourceTag/backup", "ConditionValue": "daily"},
			map[string]any{"ConditionKey": "aws:ResourceTag/environment", "ConditionValue": "dev"},
		}},
	})})
	template.Count("AWS::Backup::BackupSelection", 2)
	// AWS Backup itself looks at a key; only what is done with it comes from the service that holds the backup.
	var used []policy.Statement
	for _, s := range backupRights(props)["backups"].Statement {
		if slices.Contains(s.Action, "kms:DescribeKey") {
			used = append(used, s)
		}
	}
	if len(used) != 1 || used[0].Condition != nil {
		t.Errorf("kms:DescribeKey by %+v, want one statement without a condition", used)
	}
}

// Where nothing is backed up there is a vault, which goes with its stack, and nobody who writes into it.
func TestNoBackup(t *testing.T) {
	env := cdktest.Environment(t)
	env.DeletionProtection = false
	stack := cdktest.Stack(t, env)
	NewBackup(stack, "Backup", &BackupProps{Env: env, Key: key(stack)})
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::Backup::BackupVault", map[string]any{"BackupVaultName": "dev"})
	template.Count("AWS::Backup::BackupPlan", 0)
	template.Count("AWS::IAM::Role", 0)
}
