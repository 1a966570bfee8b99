// Package retention decides what outlives its CloudFormation stack. It is the one place that may say DESTROY,
// so that a review of it is a review of what can be lost.
package retention

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// Policy is what happens to an environment's resources when they leave a template or their stack is deleted.
type Policy struct {
	// Protected is the environment's deletionProtection.
	Protected bool
	// BacksUp is whether AWS Backup keeps copies of its data.
	BacksUp bool
}

// Of returns the policy of an environment.
func Of(env config.Environment) Policy {
	return Policy{Protected: env.DeletionProtection, BacksUp: env.BacksUp()}
}

// BackUp lets AWS Backup keep copies of what a database, a bucket or a table holds, where it keeps any of the environment.
func (p Policy) BackUp(data constructs.IConstruct) {
	if p.BacksUp {
		awscdk.Tags_Of(data).Add(jsii.String(config.BackupTag), jsii.String(config.BackupDaily), nil)
	}
}

// Data is the policy of what cannot be made again: keys, content, images. Unprotected environments hold none of that
// by definition, and a `cdk destroy` that leaves keys and buckets behind costs money and blocks the next deploy, whose
// names are the same.
func (p Policy) Data() awscdk.RemovalPolicy {
	if p.Protected {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}

// Database is the policy of databases: a protected one leaves a last snapshot, from which it can be restored.
func (p Policy) Database() awscdk.RemovalPolicy {
	if p.Protected {
		return awscdk.RemovalPolicy_SNAPSHOT
	}
	return awscdk.RemovalPolicy_DESTROY
}

// SharedDatabase says what the function does with a service's database on a shared instance when it leaves the stack: "keep"
// locks its users out and leaves the data, "drop" removes both. It is for the function what Database is for CloudFormation.
func (p Policy) SharedDatabase() string {
	if p.Protected {
		return "keep"
	}
	return "drop"
}

// Logs is the policy of log groups: they have a retention period, and a group that outlives its stack blocks the next
// deploy by its name. Protected environments keep them for the investigation that follows a deletion.
func (p Policy) Logs() awscdk.RemovalPolicy { return p.Data() }

// Derived is the policy of what is made again from the repository at any time: secrets that CloudFormation
// generates and nobody else knows, the logs of functions and builds.
func (p Policy) Derived() awscdk.RemovalPolicy { return awscdk.RemovalPolicy_DESTROY }

// Key makes a KMS key that rotates each year, under alias/<alias>.
func (p Policy) Key(scope constructs.Construct, id, alias, description string) awskms.Key {
	return awskms.NewKey(scope, jsii.String(id), &awskms.KeyProps{
		Alias:             jsii.String(alias),
		Description:       jsii.String(description),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.Data(),
	})
}

// LogGroup makes a log group that keeps its events for a number of days, under a key that AllowLogs prepared. Functions and
// services would make their groups themselves, but without a period and outside the stack, so that they stay forever.
func (p Policy) LogGroup(scope constructs.Construct, id, name string, days int, key awskms.IKey) awslogs.LogGroup {
	group := awslogs.NewLogGroup(scope, jsii.String(id), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String(name),
		EncryptionKey: key,
		RemovalPolicy: p.Logs(),
	})
	// The construct takes an enumeration of names; the resource takes the number that the configuration has.
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(days))
	return group
}

// AllowLogs lets CloudWatch Logs encrypt log groups of the account and region with a key, and nothing else with it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
func AllowLogs(key awskms.Key) {
	stack := awscdk.Stack_Of(key)
	groups := stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("logs"), Resource: jsii.String("log-group"), ResourceName: jsii.String("*"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("EncryptLogGroups"),
		// Logs is one of the few services whose principal has the region in its name, and the partition's domain.
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logs."+*stack.Region()+"."+*stack.UrlSuffix()), nil)},
		Actions:    jsii.Strings("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"),
		Resources:  jsii.Strings("*"), // in a key's policy, the key itself
		Conditions: &map[string]any{"ArnLike": map[string]any{"kms:EncryptionContext:aws:logs:arn": groups}},
	}), nil)
}
