// Package construct is what the constructs and stacks of the app have in common.
package construct

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// Part is embedded beside constructs.Construct in a struct that Init makes a construct. Without a method of the struct
// itself jsii refuses it as a construct; a field, because an empty struct would share its address with the next one.
type Part struct{ _ byte }

// IsPart marks a construct of the app.
func (*Part) IsPart() {}

// Init makes the struct that c points to a construct in the scope. The struct embeds constructs.Construct and Part, and can
// then be given to the CDK wherever that takes a construct.
func Init(c, scope constructs.Construct, id string) {
	constructs.NewConstruct_Override(c, scope, jsii.String(id))
}

// Stack makes the stack <environment>-<part> in the environment's stage. Deletion protection covers the stack itself, too.
func Stack(stage constructs.Construct, env config.Environment, part, description string) awscdk.Stack {
	return awscdk.NewStack(stage, jsii.String(part), &awscdk.StackProps{
		StackName:             jsii.String(env.StackName(part)),
		Description:           jsii.String(description),
		TerminationProtection: jsii.Bool(env.DeletionProtection),
	})
}

// After makes a construct wait until others are made, and are removed after it.
func After(c constructs.IConstruct, others ...constructs.IConstruct) {
	wide := make([]constructs.IDependable, len(others))
	for i, other := range others {
		wide[i] = other
	}
	c.Node().AddDependency(wide...)
}
