package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
)

// backupsMetric is 1 for each job of AWS Backup that left no whole backup.
const backupsMetric = "BackupsFailed"

// unmade are the states in which a job ends without a whole backup.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html
var unmade = []any{"ABORTED", "EXPIRED", "FAILED", "PARTIAL"}

// BackupAlarmProps says of which environment the backups are.
type BackupAlarmProps struct {
	Env           config.Environment
	Notifications *Notifications
}

// BackupAlarm is told of when a backup fails.
type BackupAlarm struct {
	constructs.Construct
	construct.Part
	Alarm awscloudwatch.Alarm
}

// NewBackupAlarm makes the alarm <environment>-backups-failed: in alarm from a backup or a copy that failed until none has for a
// day, which is the time between two backups, and told of both. The jobs are those of the environment's vault.
func NewBackupAlarm(scope constructs.Construct, id string, props *BackupAlarmProps) *BackupAlarm {
	b, env := &BackupAlarm{}, props.Env
	construct.Init(b, scope, id)
	props.Notifications.hear(b, "Jobs", env, "Backups and copies of "+env.Name+" that failed", map[string]any{
		"source": []any{"aws.backup"}, "detail-type": []any{"Backup Job State Change", "Copy Job State Change"},
		"detail": map[string]any{"state": unmade, "$or": []any{
			map[string]any{"backupVaultName": []any{env.VaultName()}},
			map[string]any{"sourceBackupVaultArn": []any{env.ARN("backup", "backup-vault:"+env.VaultName())}},
		}},
	})
	props.Notifications.count(b, "Metric", env, backupsMetric, 1, is("$.source", "aws.backup"), nil)
	b.Alarm = awscloudwatch.NewAlarm(b, jsii.String("Alarm"), &awscloudwatch.AlarmProps{
		AlarmName: jsii.String(env.StackName("backups-failed")),
		AlarmDescription: jsii.String("A backup or a copy of " + env.Name + " failed within a day: https://" + env.Region +
			".console.aws.amazon.com/backup/home?region=" + env.Region + "#/jobs. What to do: docs/guides/restore.md"),
		Metric: awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String(metricNamespace(env)), MetricName: jsii.String(backupsMetric), Statistic: jsii.String("Sum"), Period: awscdk.Duration_Hours(jsii.Number(1)),
		}),
		EvaluationPeriods: jsii.Number(24), DatapointsToAlarm: jsii.Number(1), Threshold: jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	props.Notifications.tellOf(b.Alarm)
	return b
}
