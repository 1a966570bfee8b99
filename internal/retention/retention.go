// Package retention decides what outlives its CloudFormation stack. It is the one place that may say DESTROY,
// so that a review of it is a review of what can be lost.
package retention

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Policy is what happens to an environment's resources when they leave a template or their stack is deleted.
type Policy struct {
	// Protected is the environment's deletionProtection.
	Protected bool
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

// Logs is the policy of log groups: they have a retention period, and a group that outlives its stack blocks the next
// deploy by its name. Protected environments keep them for the investigation that follows a deletion.
func (p Policy) Logs() awscdk.RemovalPolicy { return p.Data() }

// Derived is the policy of what is made again from the repository at any time: secrets that CloudFormation
// generates and nobody else knows, functions' logs.
func (p Policy) Derived() awscdk.RemovalPolicy { return awscdk.RemovalPolicy_DESTROY }

// LogGroup makes a log group that keeps its events for a number of days. Functions and services would make their groups
// themselves, but without a period and outside the stack, so that they stay forever.
func (p Policy) LogGroup(scope constructs.Construct, id, name string, days int) awslogs.LogGroup {
	group := awslogs.NewLogGroup(scope, jsii.String(id), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String(name),
		RemovalPolicy: p.Logs(),
	})
	// The construct takes an enumeration of names; the resource takes the number that the configuration has.
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(days))
	return group
}
