package delivery

import (
	"os"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

func TestMain(m *testing.M) { os.Exit(cdktest.Run(m, "../..")) }

// shared is a stack with what pipelines share.
type shared struct {
	env   config.Environment
	stack awscdk.Stack
	store *Store
	told  *Notifications
}

func newShared(t *testing.T, env config.Environment) shared {
	t.Helper()
	stack := cdktest.Stack(t, env)
	store := NewStore(stack, "Store", &StoreProps{Env: env})
	return shared{env: env, stack: stack, store: store, told: NewNotifications(stack, "Notifications", &NotificationsProps{
		Env: env, Key: store.Key, Pipelines: []string{"deploy", "other"},
	})}
}

// vpc is one that the stack does not make.
func vpc(stack awscdk.Stack) awsec2.IVpc {
	return awsec2.Vpc_FromVpcAttributes(stack, jsii.String("VPC"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-1"), AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"), PrivateSubnetIds: jsii.Strings("subnet-1", "subnet-2"),
	})
}

// project returns a project of the least props.
func (s shared) project(name string, more func(*ProjectProps)) *Project {
	props := &ProjectProps{Env: s.env, Store: s.store, Name: name, Description: "Builds", Buildspec: "buildspec.yml", Minutes: 10}
	if more != nil {
		more(props)
	}
	return NewProject(s.stack, name, props)
}

// list is a list of a template that holds these among others, in their order.
func list(items ...any) assertions.Matcher { return assertions.Match_ArrayWith(&items) }

// object is an object of a template with these keys among others.
func object(properties map[string]any) assertions.Matcher {
	return assertions.Match_ObjectLike(&properties)
}

// pattern is a string of a template that matches.
func pattern(expression string) assertions.Matcher {
	return assertions.Match_StringLikeRegexp(jsii.String(expression))
}

// The whole of it has the pipelines that the configuration asks for.
func TestDelivery(t *testing.T) {
	for name, c := range map[string]struct {
		gate, review, rehearsal, byMerge bool
		pipelines, projects, alarms      int
	}{
		"all":               {true, true, false, false, 4, 12, 4},
		"rehearsals":        {true, true, true, false, 5, 15, 4},
		"no gate":           {false, true, false, false, 4, 10, 4},
		"no review":         {true, false, false, false, 3, 11, 4},
		"services by merge": {true, true, false, true, 3, 11, 3}, // no tag gets past the gate
	} {
		t.Run(name, func(t *testing.T) {
			env := cdktest.Environment(t)
			env.Delivery.Gate, env.Delivery.Review, env.Delivery.Rehearsal = c.gate, c.review, c.rehearsal
			stack := cdktest.Stack(t, env)
			NewDelivery(stack, "Delivery", &DeliveryProps{Env: env, Image: "dev/ghost", ByMerge: c.byMerge, VPC: vpc(stack)})
			template := cdktest.Synthesize(t, stack)
			template.Count("AWS::CodePipeline::Pipeline", c.pipelines)
			template.Count("AWS::CodeBuild::Project", c.projects)
			template.Count("AWS::CloudWatch::Alarm", c.alarms)
			template.Has("AWS::S3::Bucket", map[string]any{"BucketName": env.AssetsBucket()})
		})
	}
}
