package delivery

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// drillMetric is 1 when a drill failed and 0 when one succeeded.
const drillMetric = "DrillFailed"

// DrillProps is what a drill needs from outside. The schedule and the services are those of backup.drill.
type DrillProps struct {
	Env           config.Environment
	Store         *Store
	Notifications *Notifications
	// VPC of the databases, and Workloads the group that they admit.
	VPC       awsec2.IVpc
	Workloads awsec2.ISecurityGroup
	// Key encrypts the databases, and what is restored of them.
	Key awskms.IKey
}

// Drill is the project <environment>-drill with the rule that starts it.
type Drill struct {
	constructs.Construct
	construct.Part
	Rule  awsevents.Rule
	Alarm awscloudwatch.Alarm
}

// NewDrill makes what restores the databases of backup.drill by its schedule, counts what is in them, and removes them again:
// `gitops restore` in a build. The alarm <environment>-drill-failed holds its state until the next drill has ended.
//
// The build reaches a restored database as a pod would, by the pods' security group, so it needs no right in the cluster. It reads
// no secret: it gives the restored instance a password of its own.
func NewDrill(scope constructs.Construct, id string, props *DrillProps) *Drill {
	d, env, drill := &Drill{}, props.Env, props.Env.Backup.Drill
	construct.Init(d, scope, id)
	project := NewProject(d, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: "drill", Description: "Restores databases to prove their backups", Buildspec: drillBuildspec,
		Branch: env.FluxBranch(), Size: awscodebuild.ComputeType_MEDIUM, Minutes: 480, VPC: props.VPC, Joins: props.Workloads,
		Variables: map[string]string{"SERVICES": strings.Join(drill.Services, " ")},
		Rights:    drillRights(props),
	})
	role := NewRole(d, "Role", &RoleProps{
		Env: env, Service: "events.amazonaws.com", Description: "Starts the drills of " + env.Name, PolicyName: "start-drill",
		Policy: policy.Of(policy.Allow("StartTheBuild", policy.List{env.ARN("codebuild", "project/"+project.Name)}, "codebuild:StartBuild")),
	})
	d.Rule = awsevents.NewRule(d, jsii.String("Schedule"), &awsevents.RuleProps{
		Description: jsii.String("Drills of " + env.Name), Schedule: awsevents.Schedule_Expression(jsii.String(drill.Schedule)),
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewCodeBuildProject(project.Project, &awseventstargets.CodeBuildProjectProps{EventRole: role})},
	})
	d.Alarm = props.Notifications.tellOfBuilds(d, &builds{
		env: env, project: project.Name, metric: drillMetric,
		description: "The last drill of " + env.Name + " restored not all databases", guide: "docs/guides/restore.md",
	})
	return d
}

// drillRights let a build make an instance of a snapshot of the services' databases, give it a password, and remove it. What it
// changes and removes has the name and the tag of what `gitops restore` makes, and nothing else has.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
func drillRights(props *DrillProps) []policy.Statement {
	env := props.Env
	var sources, copies, snapshots policy.List
	for _, service := range env.Backup.Drill.Services {
		source := env.DatabaseIdentifier(service)
		sources, copies = append(sources, env.ARN("rds", "db:"+source)), append(copies, env.ARN("rds", "db:"+env.RestoredIdentifier(service)))
		snapshots = append(snapshots, env.ARN("rds", "snapshot:rds:"+source+"-*"))
	}
	snapshots = append(snapshots, env.ARN("rds", "snapshot:awsbackup:*")) // whose names say nothing of their instance
	marked := map[string]any{"StringEquals": map[string]any{"aws:ResourceTag/" + config.RestoredTag: env.Name}}
	return []policy.Statement{
		policy.Allow("FindDatabases", slices.Concat(sources, copies), "rds:DescribeDBInstances"),
		policy.Allow("FindSnapshots", append(slices.Clone(sources), env.ARN("rds", "snapshot:*")), "rds:DescribeDBSnapshots"),
		policy.Allow("RestoreOne", slices.Concat(copies, snapshots, policy.List{
			env.ARN("rds", "og:default:*"), env.ARN("rds", "pg:"+env.Name+"-*"), env.ARN("rds", "subgrp:"+env.Name+"-*"),
		}), "rds:RestoreDBInstanceFromDBSnapshot"),
		policy.Allow("MarkIt", copies, "rds:AddTagsToResource"),
		policy.Allow("OpenAndRemoveIt", copies, "rds:DeleteDBInstance", "rds:ModifyDBInstance").If(marked),
		policy.Allow("DecryptIt", policy.List{*props.Key.KeyArn()}, "kms:CreateGrant", "kms:DescribeKey").If(map[string]any{
			"StringEquals": map[string]any{"kms:ViaService": "rds." + env.Region + "." + env.DNSSuffix()},
		}),
	}
}
