package appresources

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/services"
)

// orders asks for one of each; billing publishes to it.
const (
	orders = `image: registry.example.com/orders:1.0.0
port: 8080
aws:
  database: {engine: postgres}
  bucket: {expireDays: 30, origins: ["https://shop.example.com"]}
  queue: {subscribes: [billing, orders], maxReceives: 3}
  topic: {}
  table: {partitionKey: {name: id}, sortKey: {name: at, type: number}, expires: gone}
  secrets: {SESSION_KEY: {length: 48}}
  cache: {replicas: 1}
  mail: {user: shop}
  assets: {}
  policy:
    - {actions: [ses:SendEmail], resources: ["arn:aws:ses:${AWS_REGION}:${AWS_ACCOUNT_ID}:identity/${DOMAIN}"]}
environments:
  production: {aws: {database: {multiAz: true}}}
`
	billing = "image: registry.example.com/billing:1.0.0\nport: 8080\naws: {topic: {}}\n"
)

// parse returns the services of files, by name.
func parse(t *testing.T, files map[string]string) []services.Service {
	t.Helper()
	contents := map[string][]byte{}
	for name, content := range files {
		contents[services.FilesDir+"/"+name+".yaml"] = []byte(content)
	}
	all, problems := services.ParseAll(contents, []services.Cluster{services.ClusterOf(cdktest.Environment(t)), {Environment: "production", Protected: true, DatabaseCA: true}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A service has what its file asks for, under the names by which its pods look for it, and a role that may use that alone.
func TestService(t *testing.T) {
	env := cdktest.Environment(t)
	made := Services(env, parse(t, map[string]string{"orders": orders, "billing": billing}))
	if len(made) != 2 || made[1].Name != "orders" || len(made[1].After) != 1 || made[1].After[0] != "billing" {
		t.Fatalf("got %+v, want orders after billing", made)
	}
	stack := cdktest.Stack(t, env)
	result := made[1].Make(stack, env, network(stack))
	if len(result.Identities) != 1 || result.Identities[0].Namespace != "orders" || result.Identities[0].RoleARN != env.ARN("iam", "role/dev-orders") {
		t.Errorf("identities: %+v", result.Identities)
	}
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::RDS::DBInstance", map[string]any{
		"DBInstanceIdentifier": "dev-orders", "DBName": "ordersdb", "Engine": "postgres", "MultiAZ": false, "StorageEncrypted": true, "PubliclyAccessible": false,
	})
	template.Has("AWS::RDS::DBParameterGroup", map[string]any{"Parameters": assertions.Match_ObjectLike(&map[string]any{"rds.force_ssl": "1"})})
	template.Has("AWS::EC2::SecurityGroupIngress", map[string]any{"SourceSecurityGroupId": "sg-1", "FromPort": 5432, "ToPort": 5432})
	template.Has("AWS::S3::Bucket", map[string]any{"BucketName": "dev-orders-files-" + env.Account + "-" + env.Region})
	template.Has("AWS::SQS::Queue", map[string]any{"QueueName": "dev-orders", "SqsManagedSseEnabled": true, "RedrivePolicy": assertions.Match_ObjectLike(&map[string]any{"maxReceiveCount": 3})})
	template.Has("AWS::SQS::Queue", map[string]any{"QueueName": "dev-orders-dead", "MessageRetentionPeriod": 14 * 24 * 3600})
	template.Has("AWS::CloudWatch::Alarm", map[string]any{"AlarmActions": []any{env.ARN("sns", "dev-delivery")}})
	template.Has("AWS::SNS::Topic", map[string]any{"TopicName": "dev-orders"})
	template.Has("AWS::SNS::Subscription", map[string]any{"TopicArn": env.ARN("sns", "dev-billing"), "RawMessageDelivery": true})
	template.Count("AWS::SNS::Subscription", 2)
	template.Has("AWS::DynamoDB::Table", map[string]any{"TableName": "dev-orders", "BillingMode": "PAY_PER_REQUEST", "TimeToLiveSpecification": map[string]any{"AttributeName": "gone", "Enabled": true}})
	template.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/orders/session-key"})
	template.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/orders/database"})
	template.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/orders/database-user"})
	if len(result.Rotations) != 1 || result.Rotations[0].Namespace != "orders" || result.Rotations[0].RoleARN != env.ARN("iam", "role/dev-orders_database") {
		t.Errorf("rotations: %+v", result.Rotations)
	}
	template.Has("AWS::IAM::Role", map[string]any{"RoleName": "dev-orders", "Policies": assertions.Match_ArrayWith(&[]any{
		map[string]any{"PolicyName": "own", "PolicyDocument": assertions.Match_ObjectLike(&map[string]any{"Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "ses:SendEmail", "Resource": env.ARN("ses", "identity/"+env.Domain),
		}}})},
	})})
	template.Has("AWS::ElastiCache::ReplicationGroup", map[string]any{"ReplicationGroupId": "dev-orders", "CacheNodeType": "cache.t4g.micro", "NumCacheClusters": 2, "MultiAZEnabled": true})
	template.Has("AWS::SES::EmailIdentity", map[string]any{"EmailIdentity": "orders." + env.Domain})
	for name, statement := range map[string]map[string]any{
		"mail": {
			"Effect": "Allow", "Action": []any{"ses:SendEmail", "ses:SendRawEmail"}, "Resource": env.ARN("ses", "identity/*"),
			"Condition": map[string]any{"StringEquals": map[string]any{"ses:FromAddress": "shop@orders." + env.Domain}},
		},
		"assets": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::" + env.AssetsBucket() + "/services/orders/*"},
	} {
		template.Has("AWS::IAM::Role", map[string]any{"Policies": assertions.Match_ArrayWith(&[]any{
			map[string]any{"PolicyName": name, "PolicyDocument": assertions.Match_ObjectLike(&map[string]any{"Statement": []any{statement}})},
		})})
	}
	template.Keeps("AWS::DynamoDB::Table", false)
}

// A service that needs nothing from AWS has no stack.
func TestServicesWithoutAWS(t *testing.T) {
	env := cdktest.Environment(t)
	if made := Services(env, parse(t, map[string]string{"plain": "image: a:1\nport: 8080\n", "idle": "image: a:1\nport: 8080\naws: {bucket: {}}\nenvironments: {dev: {enabled: false}}\n"})); len(made) > 0 {
		t.Errorf("got %+v", made)
	}
}

// Files register their applications, each once.
func TestRegister(t *testing.T) {
	all := Applications()
	if len(all) == 0 {
		t.Fatal("no application registers itself")
	}
	defer func() {
		if recover() == nil {
			t.Error("an application was registered twice")
		}
	}()
	Register(all[0])
}

// A service cannot have the stack of an application.
func TestCheck(t *testing.T) {
	for name, refused := range map[string]bool{Applications()[0].Name: true, "orders": false} {
		if err := Check([]services.Service{{Name: name, File: "k8s/services/" + name + ".yaml"}}); (err != nil) != refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
