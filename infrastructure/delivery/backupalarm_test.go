package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// The alarm hears of jobs of the environment's own vault, those that copied nothing included, and is in alarm for as long as the
// failure may be the last that happened.
func TestBackupAlarm(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewBackupAlarm(s.stack, "Backups", &BackupAlarmProps{Env: s.env, Notifications: s.told})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::Events::Rule", map[string]any{"EventPattern": map[string]any{
		"source": []any{"aws.backup"}, "detail-type": []any{"Backup Job State Change", "Copy Job State Change"},
		"detail": map[string]any{"state": unmade, "$or": []any{
			map[string]any{"backupVaultName": []any{"dev"}}, map[string]any{"sourceBackupVaultArn": []any{s.env.ARN("backup", "backup-vault:dev")}},
		}},
	}})
	template.Has("AWS::Logs::MetricFilter", map[string]any{
		"FilterPattern":         `{ $.source = "aws.backup" }`,
		"MetricTransformations": []any{object(map[string]any{"MetricNamespace": "dev/delivery", "MetricName": backupsMetric, "MetricValue": "1"})},
	})
	topic := []any{object(map[string]any{"Ref": pattern("^NotificationsTopic")})}
	template.Has("AWS::CloudWatch::Alarm", map[string]any{
		"AlarmName": "dev-backups-failed", "Namespace": "dev/delivery", "MetricName": backupsMetric, "Statistic": "Sum",
		"Period": 3600, "EvaluationPeriods": 24, "DatapointsToAlarm": 1, "TreatMissingData": "notBreaching", "AlarmActions": topic, "OKActions": topic,
	})
}
