package resources

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// record is a type of which its stack alone knows: nothing here acts on such a resource, and no API shows it. Which
// properties there are, which of them replace it and which AWS sets says CloudFormation's schema.
type record struct {
	// reason why nothing acts on it, for people.
	reason string
	// name is the property that names the resource; without a value, the name is generated.
	name string
	// id is what Ref returns, with ${…} for properties and for Unique; default: the ARN.
	id string
	// arn is the ARN's service and resource, "sns:${TopicName}"; default: no ARN, or the ID where the schema has one.
	arn string
	// identifier are the properties that no two resources may share; default: the schema's primary identifier.
	identifier []string
	// check refuses what AWS refuses, beside the schema.
	check func(ctx context.Context, r *Request, p Properties) error
}

// records are the recorded types by name.
var records = map[string]record{
	"AWS::Backup::BackupPlan": {reason: "nothing runs by a schedule of AWS Backup; snapshots of databases are made by RDS' own calls",
		id: "${Unique}", arn: "backup:backup-plan:${Unique}"},
	"AWS::Backup::BackupSelection": {reason: "a plan that does not run selects nothing", id: "${Unique}"},
	"AWS::Backup::BackupVault": {reason: "no backup is made, so it stays empty",
		name: "BackupVaultName", id: "${BackupVaultName}", arn: "backup:backup-vault:${BackupVaultName}"},
	"AWS::Budgets::Budget":         {reason: "nothing costs anything here", id: "${Unique}"},
	"AWS::CE::AnomalyMonitor":      {reason: "nothing is spent here", arn: "ce:anomalymonitor/${Unique}"},
	"AWS::CE::AnomalySubscription": {reason: "no monitor finds anything here", arn: "ce:anomalysubscription/${Unique}"},
	"AWS::CloudWatch::Alarm": {reason: "no metric is measured, so it never changes its state",
		name: "AlarmName", id: "${AlarmName}", arn: "cloudwatch:alarm:${AlarmName}"},
	"AWS::EC2::FlowLog": {reason: "no packets flow through the VPC", id: "fl-${Unique}"},
	"AWS::EC2::LaunchTemplate": {reason: "no instance is launched; the process node stands in for the node group",
		name: "LaunchTemplateName", id: "lt-${Unique}", identifier: []string{"LaunchTemplateName"}},
	"AWS::EC2::VPCEndpoint": {reason: "no traffic goes through a VPC endpoint; every AWS call goes to the local endpoint", id: "vpce-${Unique}"},
	"AWS::ElastiCache::SubnetGroup": {reason: "caches listen on loopback, in no subnet",
		name: "CacheSubnetGroupName", id: "${CacheSubnetGroupName}", arn: "elasticache:subnetgroup:${CacheSubnetGroupName}"},
	"AWS::EKS::AccessEntry": {reason: "the local API server asks for the groups; access policies give nothing",
		id: "${PrincipalArn}|${ClusterName}", arn: "eks:access-entry/${ClusterName}/${Unique}"},
	"AWS::EKS::Addon": {reason: "the process node and its gate stand in for the network, DNS and identity add-ons",
		id: "${ClusterName}|${AddonName}", arn: "eks:addon/${ClusterName}/${AddonName}/${Unique}"},
	"AWS::EKS::Nodegroup": {reason: "no instance is launched; the process node stands in for the node group",
		name: "NodegroupName", id: "${ClusterName}/${NodegroupName}", arn: "eks:nodegroup/${ClusterName}/${NodegroupName}/${Unique}",
		identifier: []string{"ClusterName", "NodegroupName"}},
	"AWS::Events::Rule": {reason: "the pipelines' runner emits the events of executions, to rules that start builds alone", name: "Name", id: "${Name}", arn: "events:rule/${Name}", identifier: []string{"Name"}},
	"AWS::Lambda::Function": {reason: "those of databases and of alerts run as processes when they are called; the others never run, and the stand-in applies the custom resources behind them itself",
		name: "FunctionName", id: "${FunctionName}", arn: "lambda:function:${FunctionName}", check: codeExists("Code")},
	"AWS::Lambda::LayerVersion": {reason: "no function that runs has a layer",
		name: "LayerName", arn: "lambda:layer:${LayerName}:1", check: codeExists("Content")},
	"AWS::Lambda::Permission": {reason: "nothing checks who calls a function", id: "${FunctionName}-${Unique}"},
	"AWS::SecretsManager::RotationSchedule": {reason: "a secret is rotated when somebody asks for it, and not by its schedule",
		id: "${SecretId}"},
	"AWS::Logs::MetricFilter":   {reason: "log events are not counted", name: "FilterName", id: "${FilterName}"},
	"AWS::Logs::ResourcePolicy": {reason: "nothing writes to a log group from outside", id: "${PolicyName}"},
}

func init() {
	for name, rec := range records {
		facts, err := awsdata.Type(name)
		if err != nil {
			panic("resources: " + err.Error()) //nolint:forbidigo // a programming error, found by the first test
		}
		settable := slices.DeleteFunc(slices.Clone(facts.Properties), func(p string) bool { return slices.Contains(facts.ReadOnly, p) })
		Register(&Type{
			Name: name, Properties: settable, Identifier: rec.identifier, Recorded: rec.reason,
			Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
				return rec.result(ctx, r, facts.ReadOnly, "", p)
			},
			Update: func(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
				return rec.result(ctx, r, facts.ReadOnly, id, updated)
			},
			Delete: func(context.Context, *Request, string, Properties) error { return nil },
		})
	}
}

// result is the resource with the attributes that AWS would set. An empty id is that of a new one.
func (rec record) result(ctx context.Context, r *Request, readOnly []string, id string, p Properties) (Result, error) {
	if rec.check != nil {
		if err := rec.check(ctx, r, p); err != nil {
			return Result{}, err
		}
	}
	arn := ""
	if service, resource, ok := strings.Cut(rec.arn, ":"); ok {
		arn = "arn:aws:" + service + ":" + r.Region + ":" + r.Account + ":" + rec.expand(r, resource, p)
	}
	id = cmp.Or(id, rec.expand(r, rec.id, p), arn)
	attributes := map[string]any{}
	for _, attribute := range readOnly {
		switch {
		case strings.HasSuffix(attribute, "Arn"):
			attributes[attribute] = cmp.Or(arn, id)
		case strings.HasSuffix(attribute, "Id"):
			attributes[attribute] = id
		case attribute == "DefaultVersionNumber":
			attributes[attribute] = "1"
		case attribute == "LatestVersionNumber": // each update makes one
			last, _ := strconv.Atoi(fmt.Sprint(r.Attributes[attribute]))
			attributes[attribute] = strconv.Itoa(last + 1)
		}
	}
	if rec.name != "" {
		attributes[rec.name] = rec.expand(r, "${"+rec.name+"}", p)
	}
	return Result{ID: id, Attributes: attributes}, nil
}

// expand fills in the properties of a text, and for Unique 17 characters that are the same in each attempt.
func (rec record) expand(r *Request, text string, p Properties) string {
	return os.Expand(text, func(key string) string {
		switch key {
		case rec.name:
			return r.name(p, key, 63, false) // what the strictest of these services takes
		case "Unique":
			sum := sha256.Sum256([]byte(r.Name(255, false)))
			return hex.EncodeToString(sum[:])[:17]
		}
		return p.String(key)
	})
}

// codeExists refuses code that is not where the property says, as Lambda does.
func codeExists(property string) func(context.Context, *Request, Properties) error {
	return func(ctx context.Context, r *Request, p Properties) error {
		code := p.Object(property)
		if !code.Has("S3Bucket") {
			return nil
		}
		_, err := r.s3().HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(code.String("S3Bucket")), Key: aws.String(code.String("S3Key"))})
		if err != nil {
			return fmt.Errorf("%s: s3://%s/%s: %w", property, code.String("S3Bucket"), code.String("S3Key"), err)
		}
		return nil
	}
}
