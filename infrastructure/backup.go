package infrastructure

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbackup"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
)

// backupHour is when backups are made, in UTC: RDS chooses the windows of its own by region, and none of those of Europe is then.
const backupHour = "5"

// BackupProps says what is backed up, and by which key.
type BackupProps struct {
	Env config.Environment
	// Key encrypts the vault, and the databases, whose snapshots keep it.
	Key awskms.IKey
}

// Backup is AWS Backup's part of an environment.
type Backup struct {
	constructs.Construct
	construct.Part
	Vault awsbackup.BackupVault
}

// NewBackup makes the vault <environment>, and where backup.enabled says so a backup of each day of what has the tag
// config.BackupTag in the environment, for backup.days, and copies in the vault of the same name in backup.copyTo. The vault is
// there in any case: backups outlive the switch, and a vault that left the template would hold its name against its return.
//
// Databases and tables have plan <environment>-databases: RDS and DynamoDB keep what restores any moment by themselves, for as
// long as the services' files say. AWS Backup could do it too, but it takes an instance's retention over from CloudFormation,
// which would be drift. Buckets keep no such thing, so their plan, <environment>-buckets, is continuous.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
func NewBackup(scope constructs.Construct, id string, props *BackupProps) *Backup {
	b, env := &Backup{}, props.Env
	construct.Init(b, scope, id)
	b.Vault = awsbackup.NewBackupVault(b, jsii.String("Vault"), &awsbackup.BackupVaultProps{
		BackupVaultName: jsii.String(env.VaultName()), EncryptionKey: props.Key, RemovalPolicy: retention.Of(env).Data(),
	})
	if !env.BacksUp() {
		return b
	}
	account := map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": env.Account}}
	role := awsiam.NewRole(b, jsii.String("Role"), &awsiam.RoleProps{
		Description:    jsii.String("AWS Backup of " + env.Name),
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String("backup.amazonaws.com"), &awsiam.ServicePrincipalOpts{Conditions: &account}),
		InlinePolicies: policy.Inline(backupRights(props)),
	})
	b.plan(props, "databases", role, &awsbackup.BackupPlanRuleProps{DeleteAfter: awscdk.Duration_Days(jsii.Number(env.Backup.Days))},
		env.ARN("rds", "db:"+env.Name+"-*"), env.ARN("dynamodb", "table/"+env.Name+"-*"))
	b.plan(props, "buckets", role, &awsbackup.BackupPlanRuleProps{
		DeleteAfter: awscdk.Duration_Days(jsii.Number(env.Backup.ContinuousDays())), EnableContinuousBackup: jsii.Bool(true),
	}, env.ARN("s3", env.Name+"-*"))
	return b
}

// plan makes a plan of one rule for what has the tag among resources of the environment's names. An account may hold several
// environments, of which one's name may begin another's: so the tag of the environment counts, too.
func (b *Backup) plan(props *BackupProps, name string, role awsiam.IRole, rule *awsbackup.BackupPlanRuleProps, resources ...string) {
	env := props.Env
	rule.RuleName = jsii.String("daily")
	rule.ScheduleExpression = awsevents.Schedule_Cron(&awsevents.CronOptions{Hour: jsii.String(backupHour), Minute: jsii.String("0")})
	// A backup that cannot start within three hours, or is not complete after eight, has failed and is told of.
	rule.StartWindow, rule.CompletionWindow = awscdk.Duration_Hours(jsii.Number(3)), awscdk.Duration_Hours(jsii.Number(8))
	if env.Backup.CopyTo != "" {
		rule.CopyActions = &[]*awsbackup.BackupPlanCopyActionProps{{
			DestinationBackupVault: awsbackup.BackupVault_FromBackupVaultArn(b, jsii.String("Copy-"+name), jsii.String(vaultARN(env, env.Backup.CopyTo))),
			DeleteAfter:            awscdk.Duration_Days(jsii.Number(env.Backup.Days)),
		}}
	}
	plan := awsbackup.NewBackupPlan(b, jsii.String(name), &awsbackup.BackupPlanProps{
		BackupPlanName: jsii.String(env.StackName(name)), BackupVault: b.Vault, BackupPlanRules: &[]awsbackup.BackupPlanRule{awsbackup.NewBackupPlanRule(rule)},
	})
	// L1: the construct of the CDK takes tags or names, and this is both.
	selection := awsbackup.NewCfnBackupSelection(b, jsii.String(name+"-selection"), &awsbackup.CfnBackupSelectionProps{
		BackupPlanId: plan.BackupPlanId(),
		BackupSelection: &awsbackup.CfnBackupSelection_BackupSelectionResourceTypeProperty{
			SelectionName: jsii.String(env.StackName(name)), IamRoleArn: role.RoleArn(), Resources: jsii.Strings(resources...),
			Conditions: map[string]any{"StringEquals": []any{
				map[string]any{"ConditionKey": "aws:ResourceTag/" + config.BackupTag, "ConditionValue": config.BackupDaily},
				map[string]any{"ConditionKey": "aws:ResourceTag/environment", "ConditionValue": env.Name},
			}},
		},
	})
	construct.After(selection, role)
}

// vaultARN is the environment's vault in a region.
func vaultARN(env config.Environment, region string) string {
	env.Region = region
	return env.ARN("backup", "backup-vault:"+env.VaultName())
}

// backupRights are what AWS Backup does to make backups of databases, tables and buckets, and copies: of AWS's policies
// AWSBackupServiceRolePolicyForBackup and AWSBackupServiceRolePolicyForS3Backup what these three need, held to the names of the
// environment. None of it restores.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/security-iam-awsmanpol.html
func backupRights(props *BackupProps) map[string]policy.Document {
	env := props.Env
	snapshots, keys := policy.List{env.ARN("rds", "snapshot:awsbackup:*")}, policy.List{*props.Key.KeyArn()}
	vaults := policy.List{vaultARN(env, env.Region)}
	if env.Backup.CopyTo != "" {
		there := env
		there.Region = env.Backup.CopyTo
		snapshots = append(snapshots, there.ARN("rds", "snapshot:awsbackup:*"))
		keys = append(keys, there.ARN("kms", "key/*")) // of the vault there, which the bootstrap makes
		vaults = append(vaults, vaultARN(env, env.Backup.CopyTo))
	}
	database := env.ARN("rds", "db:"+env.Name+"-*")
	table, bucket := env.ARN("dynamodb", "table/"+env.Name+"-*"), env.ARN("s3", env.Name+"-*")
	return map[string]policy.Document{
		"databases": policy.Of(
			policy.Allow("LookAtDatabases", policy.List{env.ARN("rds", "db:*")}, "rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:ListTagsForResource"),
			policy.Allow("LookAtSnapshots", policy.List{env.ARN("rds", "snapshot:*")}, "rds:DescribeDBSnapshots", "rds:ListTagsForResource"),
			policy.Allow("SnapshotDatabases", append(policy.List{database}, snapshots...), "rds:CreateDBSnapshot"),
			policy.Allow("KeepSnapshots", snapshots, "rds:AddTagsToResource", "rds:CopyDBSnapshot", "rds:DeleteDBSnapshot"),
			policy.Allow("BackUpTables", policy.List{table}, "dynamodb:CreateBackup", "dynamodb:DescribeTable", "dynamodb:ListTagsOfResource", "dynamodb:StartAwsBackupJob"),
			policy.Allow("KeepBackupsOfTables", policy.List{table + "/backup/*"}, "dynamodb:DeleteBackup", "dynamodb:DescribeBackup"),
		),
		"buckets": policy.Of(
			policy.Allow("ReadBuckets", policy.List{bucket},
				"s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketNotification", "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetInventoryConfiguration",
				"s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketNotification", "s3:PutInventoryConfiguration"),
			policy.Allow("ReadObjects", policy.List{bucket + "/*"},
				"s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"),
			policy.Allow("HearOfChanges", policy.List{env.ARN("events", "rule/AwsBackupManagedRule*")},
				"events:DeleteRule", "events:DescribeRule", "events:DisableRule", "events:EnableRule", "events:ListTargetsByRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets"),
		),
		"backups": policy.Of(
			// None of these has a resource level.
			policy.Allow("FindResources", policy.List{"*"}, "cloudwatch:GetMetricData", "events:ListRules", "s3:ListAllMyBuckets", "tag:GetResources"),
			policy.Allow("UseVaults", vaults, "backup:CopyIntoBackupVault", "backup:DescribeBackupVault"),
			policy.Allow("TagBackups", policy.List{env.ARN("backup", "recovery-point:*")}, "backup:TagResource"),
			policy.Allow("LookAtKeys", keys, "kms:DescribeKey"), // AWS Backup does it itself, and via no service
			policy.Allow("UseKeys", keys, "kms:Decrypt", "kms:GenerateDataKey").If(viaBackups(env)),
			policy.Allow("LendKeys", keys, "kms:CreateGrant").If(map[string]any{"Bool": map[string]any{"kms:GrantIsForAWSResource": "true"}}),
		),
	}
}

// viaBackups is the condition that a key is used by the services that hold backups, in the environment's region and in that of
// the copies.
func viaBackups(env config.Environment) map[string]any {
	var services []any
	for _, region := range slices.Compact([]string{env.Region, env.Backup.CopyTo}) {
		for _, service := range []string{"backup", "dynamodb", "rds", "s3"} {
			if region != "" {
				services = append(services, service+"."+region+"."+env.DNSSuffix())
			}
		}
	}
	return map[string]any{"StringEquals": map[string]any{"kms:ViaService": services}}
}
