package rotation

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/functions/database/handler"
	"k8s-plus-aws-gitops/functions/database/rotation"
	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/endpoint"
	"k8s-plus-aws-gitops/local/endpoint/function"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/endpoint/resources"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// TestMain is also the program of the function, as gitops-local is.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		if err := handler.Serve(function.AWS()); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// stackTemplate is what appresources.NewDatabaseUser makes, as far as the function needs it.
const stackTemplate = `{"Resources": {
	"Master": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "/local/shop/database",
		"GenerateSecretString": {"SecretStringTemplate": "{\"username\": \"shop\", \"dbname\": \"shop\"}", "GenerateStringKey": "password", "ExcludePunctuation": true}}},
	"Database": {"Type": "AWS::RDS::DBInstance", "Properties": {"DBInstanceIdentifier": "local-shop", "DBInstanceClass": "db.t4g.small", "Engine": "mysql",
		"EngineVersion": "8.4.6", "DBName": "shop", "MasterUsername": "shop", "AllocatedStorage": "20", "BackupRetentionPeriod": 1,
		"MasterUserPassword": {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": "Master"}, ":SecretString:password::}}"]]}}},
	"MasterAttachment": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {"SecretId": {"Ref": "Master"}, "TargetId": {"Ref": "Database"}, "TargetType": "AWS::RDS::DBInstance"}},
	"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "/local/shop/database-user",
		"GenerateSecretString": {"SecretStringTemplate": "{\"username\": \"shop_app\", \"dbname\": \"shop\"}", "GenerateStringKey": "password", "ExcludePunctuation": true}}},
	"Attachment": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {"SecretId": {"Ref": "Secret"}, "TargetId": {"Ref": "Database"}, "TargetType": "AWS::RDS::DBInstance"}},
	"Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "local-shop_database", "AssumeRolePolicyDocument": {"Version": "2012-10-17",
		"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}}},
	"Function": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "local-shop_database", "Handler": "database", "Runtime": "provided.al2023",
		"Timeout": 240, "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": "x"}, "Environment": {"Variables": {
			"SECRET": {"Ref": "Secret"}, "MASTER_SECRET": {"Ref": "Master"}, "SECRET_NAME": "/local/shop/database-user", "CLUSTER": "local", "NAMESPACE": "shop"}}}},
	"User": {"Type": "Custom::DatabaseUser", "DependsOn": ["Attachment", "MasterAttachment"],
		"Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Secret": {"Ref": "Secret"}}},
	"Rotation": {"Type": "AWS::SecretsManager::RotationSchedule", "DependsOn": "User", "Properties": {"SecretId": {"Ref": "Secret"},
		"RotationLambdaARN": {"Fn::GetAtt": ["Function", "Arn"]}, "RotationRules": {"AutomaticallyAfterDays": 30}, "RotateImmediatelyOnUpdate": false}}
}}`

// A stack makes the user, by the function that runs as its own process; Secrets Manager has it rotate; and with the stack both
// users go. There is no cluster, so no pods are told.
func TestStack(t *testing.T) {
	s := mariaDB(t)
	w, delivered := deployed(t, s)
	first := w.current()
	if err := w.do(first, "CREATE TABLE posts (id INT)"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop_app_clone", "shop_app"} {
		rotated, err := w.client.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("/local/shop/database-user")})
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			out, err := w.client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &w.Secret})
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(out.VersionIdsToStages[*rotated.VersionId], "AWSCURRENT") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is not in use: %v", *rotated.VersionId, out.VersionIdsToStages)
			}
		}
		if now := w.current(); now.Username != name {
			t.Errorf("the secret names %s, want %s", now.Username, name)
		}
		w.works("the new password", w.current())
	}
	w.refused("the first password", first)
	if _, err := w.client.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("/local/shop/none")}); err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Errorf("a secret that is not there: %v", err)
	}
	if err := delivered(); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.admin.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM mysql.global_priv WHERE User LIKE 'shop%'").Scan(&left); err != nil || left > 0 {
		t.Errorf("%d users are left, %v", left, err)
	}
}

// deployed runs the local AWS API and makes the stack. The second result deletes it.
func deployed(t *testing.T, s server) (*world, func() error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	authorities := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(authorities, s.trust, 0o600); err != nil {
		t.Fatal(err)
	}
	moto, address := mototest.New(t), freeport.Address(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		err := endpoint.Run(ctx, endpoint.Config{
			Listen: address, Moto: moto.URL, Account: "000000000000", Region: "eu-west-1", Dir: t.TempDir(), Mail: t.TempDir(),
			Log:       slog.New(slog.NewTextHandler(t.Output(), nil)),
			Database:  resources.Database{Host: "127.0.0.1", Port: s.port, AdminUser: database.AdminUser, AdminPassword: s.password},
			Functions: endpoint.Functions{Program: []string{program}, Env: []string{"DATABASE_CA=" + authorities}},
		})
		if err != nil {
			t.Error(err)
		}
	}()
	config := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://" + address), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient: httpbody.Client(), RetryMaxAttempts: 8, // until it listens
	}
	stacks, name := cloudformation.NewFromConfig(config), aws.String("local-shop")
	if _, err := stacks.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: name, TemplateBody: aws.String(stackTemplate), Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam},
	}); err != nil {
		t.Fatal(err)
	}
	quick := func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	}
	if err := cloudformation.NewStackCreateCompleteWaiter(stacks, quick).Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: name}, 5*time.Minute); err != nil {
		events, _ := stacks.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: name})
		text, _ := json.Marshal(events)
		t.Fatalf("%v: %s", err, text)
	}
	w := &world{t: t, client: secretsmanager.NewFromConfig(config), trust: s.trust}
	described, err := w.client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("/local/shop/database-user")})
	if err != nil {
		t.Fatal(err)
	}
	w.Rotator = &rotation.Rotator{Secret: *described.ARN}
	return w, func() error {
		if _, err := stacks.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: name}); err != nil {
			return err
		}
		return cloudformation.NewStackDeleteCompleteWaiter(stacks, func(o *cloudformation.StackDeleteCompleteWaiterOptions) {
			o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
		}).Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: name}, 5*time.Minute)
	}
}
