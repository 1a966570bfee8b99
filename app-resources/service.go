package appresources

import (
	"cmp"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
	"k8s-plus-aws-gitops/internal/services"
)

// generatedLength is that of a generated secret of which nothing is said.
const generatedLength = 32

// ServiceProps is a service of k8s/services, and where it runs.
type ServiceProps struct {
	Env     config.Environment
	Network Network
	// Service is what its file says for the environment. It has been checked, and has AWS.
	Service services.Spec
}

// Service is what a service needs from AWS, and the role of its pods, which may use that and nothing else.
type Service struct {
	constructs.Construct
	construct.Part
	// RoleARN is the role that the pods assume; its name is agreed, so this is plain text.
	RoleARN string

	// Rotations are the functions that bring a new password into its pods.
	Rotations []Rotation

	topic *Topic
}

// NewService makes all of it. The names are the agreed ones, by which the pods find it.
func NewService(scope constructs.Construct, id string, props *ServiceProps) *Service {
	env, name := props.Env, props.Service.Name
	s := &Service{RoleARN: env.ARN("iam", "role/"+env.RoleName(name))}
	construct.Init(s, scope, id)
	s.database(props)
	s.cache(props)
	s.secrets(props)
	podidentity.NewRole(s, "Role", &podidentity.RoleProps{
		Env: env, Namespace: name, ServiceAccount: name, Name: env.RoleName(name),
		Description: "Pods of " + name + " in cluster " + env.ClusterName(), Policies: s.rights(props),
	})
	return s
}

// database makes the service's database.
func (s *Service) database(props *ServiceProps) {
	d := props.Service.AWS.Database
	if d == nil {
		return
	}
	var user *DatabaseUser
	if d.IsShared() {
		user = sharedUser(s, props, *d)
	} else {
		user = NewDatabase(s, "Database", &DatabaseProps{
			Env: props.Env, Network: props.Network, Engine: engines[d.Engine], App: props.Service.Name, Name: services.DatabaseName(props.Service.Name), Size: d.Size(), Snapshot: d.Snapshot,
		}).User
	}
	s.Rotations = append(s.Rotations, Rotation{Namespace: props.Service.Name, RoleARN: user.RoleARN})
}

// cache makes the service's cache.
func (s *Service) cache(props *ServiceProps) {
	if c := props.Service.AWS.Cache; c != nil {
		NewCache(s, "Cache", &CacheProps{
			Env: props.Env, Network: props.Network, App: props.Service.Name, NodeType: c.Node(), Replicas: c.ReplicaCount(), MultiAZ: c.FailsOver(),
		})
	}
}

// secrets makes those that AWS generates.
func (s *Service) secrets(props *ServiceProps) {
	for _, variable := range slices.Sorted(maps.Keys(props.Service.AWS.Secrets)) {
		thing := services.SecretThing(variable)
		awssecretsmanager.NewSecret(s, jsii.String("Secret-"+thing), &awssecretsmanager.SecretProps{
			SecretName:    jsii.String(props.Env.SecretName(props.Service.Name, thing)),
			Description:   jsii.String(variable + " of " + props.Service.Name + " in " + props.Env.Name),
			EncryptionKey: props.Network.Key,
			RemovalPolicy: retention.Of(props.Env).Data(),
			GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
				PasswordLength:     jsii.Number(cmp.Or(props.Service.AWS.Secrets[variable].Length, generatedLength)),
				ExcludePunctuation: jsii.Bool(true),
			},
		})
	}
}

// rights makes bucket, queue, topic, table and identity for mail, and returns what the pods may do with them and what their file asks for.
func (s *Service) rights(props *ServiceProps) map[string]policy.Document {
	env, name, a := props.Env, props.Service.Name, props.Service.AWS
	rights := map[string]policy.Document{}
	if b := a.Bucket; b != nil {
		made := NewBucket(s, "Bucket", &BucketProps{Env: env, App: name, Thing: services.BucketThing, ExpireDays: b.ExpireDays, Origins: b.Origins})
		rights["bucket"] = ObjectRights(*made.BucketArn())
	}
	if t := a.Topic; t != nil {
		s.topic = NewTopic(s, "Topic", &TopicProps{Env: env, App: name, FIFO: t.IsFIFO()})
		rights["topic"] = s.topic.Rights
	}
	if q := a.Queue; q != nil {
		rights["queue"] = s.queue(props, *q)
	}
	if t := a.Table; t != nil {
		table := &TableProps{Env: env, App: name, PartitionKey: Attribute(*t.PartitionKey), Expires: t.Expires, Recovery: t.Recovers(env.DeletionProtection)}
		if t.SortKey != nil {
			table.SortKey = Attribute(*t.SortKey)
		}
		rights["table"] = NewTable(s, "Table", table).Rights
	}
	if m := a.Mail; m != nil {
		rights["mail"] = NewMail(s, "Mail", &MailProps{Env: env, Zone: props.Network.Zone, From: m.From(env, name)}).Rights
	}
	if a.Assets != nil {
		rights["assets"] = policy.Of(policy.Allow("", policy.List{env.AssetsARN(name) + "*"}, "s3:GetObject"))
	}
	if len(a.Policy) > 0 {
		statements := make([]policy.Statement, len(a.Policy))
		for i, asked := range a.Policy {
			statements[i] = policy.Allow("", asked.In(services.ClusterOf(env)), asked.Actions...)
		}
		rights["own"] = policy.Of(statements...)
	}
	return rights
}

// queue makes the queue and its subscriptions. Their topics are in the stacks of other services, which come before.
func (s *Service) queue(props *ServiceProps, q services.Queue) policy.Document {
	env := props.Env
	made := NewQueue(s, "Queue", &QueueProps{
		Env: env, App: props.Service.Name, FIFO: q.IsFIFO(),
		VisibilitySeconds: q.VisibilitySeconds, RetentionDays: q.RetentionDays, MaxReceives: q.MaxReceives,
	})
	for _, publisher := range q.Subscribes {
		topic := env.ARN("sns", env.TopicName(publisher, q.IsFIFO()))
		made.Queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("sns.amazonaws.com"), nil)},
			Actions:    jsii.Strings("sqs:SendMessage"), Resources: &[]*string{made.Queue.QueueArn()},
			Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": topic}},
		}))
		// The L2 would make its subscription in the topic's stack, which would need this one.
		subscription := awssns.NewCfnSubscription(s, jsii.String("Subscription-"+publisher), &awssns.CfnSubscriptionProps{
			TopicArn: jsii.String(topic), Protocol: jsii.String("sqs"), Endpoint: made.Queue.QueueArn(), RawMessageDelivery: jsii.Bool(true),
		})
		if publisher == props.Service.Name {
			construct.After(subscription, s.topic)
		}
	}
	return made.Rights
}

// Services are the services that need something from AWS in an environment, as applications.
func Services(env config.Environment, all []services.Service) []Application {
	var found []Application
	for _, service := range all {
		spec := service.Resolve(services.ClusterOf(env))
		if spec.AWS == nil || !service.Enabled(env.Name) {
			continue
		}
		application := Application{Name: spec.Name, Title: spec.Name, Make: func(scope constructs.Construct, env config.Environment, network Network) Made {
			made := NewService(scope, "Service", &ServiceProps{Env: env, Network: network, Service: spec})
			return Made{Identities: []podidentity.Identity{{Namespace: spec.Name, ServiceAccount: spec.Name, RoleARN: made.RoleARN}}, Rotations: made.Rotations}
		}}
		if q := spec.AWS.Queue; q != nil {
			application.After = slices.DeleteFunc(slices.Clone(q.Subscribes), func(name string) bool { return name == spec.Name })
		}
		found = append(found, application)
	}
	return found
}
