package resources

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// What is published to a topic arrives in the queue that subscribes, as it was published.
func TestQueueOfATopic(t *testing.T) {
	s := newStack(t)
	dead := s.create("AWS::SQS::Queue", "Dead", Properties{"MessageRetentionPeriod": 1209600, "SqsManagedSseEnabled": true})
	deadARN := s.results["Dead"].Attributes["Arn"].(string)
	old := Properties{
		"QueueName": s.name + "-orders", "VisibilityTimeout": 60, "Tags": tags("a", "1"),
		"RedrivePolicy": map[string]any{"deadLetterTargetArn": deadARN, "maxReceiveCount": 3},
	}
	url := s.create("AWS::SQS::Queue", "Queue", old)
	if !strings.HasSuffix(dead, "Dead") || !strings.HasSuffix(url, "/"+s.name+"-orders") {
		t.Errorf("addresses: %s, %s", dead, url)
	}
	topic := s.create("AWS::SNS::Topic", "Topic", Properties{"TopicName": s.name + "-orders", "KmsMasterKeyId": "alias/aws/sns"})
	s.create("AWS::SNS::Subscription", "Subscription", Properties{
		"TopicArn": topic, "Protocol": "sqs", "Endpoint": s.results["Queue"].Attributes["Arn"], "RawMessageDelivery": true,
	})
	s.create("AWS::SQS::QueuePolicy", "Policy", Properties{"Queues": []any{url}, "PolicyDocument": document("sqs:SendMessage")})
	s.create("AWS::SNS::TopicPolicy", "TopicPolicy", Properties{"Topics": []any{topic}, "PolicyDocument": document("sns:Publish")})
	if _, err := s.services.topics().Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: aws.String("paid")}); err != nil {
		t.Fatal(err)
	}
	got, err := s.services.queues().ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
	if err != nil || len(got.Messages) != 1 || aws.ToString(got.Messages[0].Body) != "paid" {
		t.Errorf("messages: %+v (%v)", got, err)
	}
	updated := Properties{"QueueName": s.name + "-orders", "DelaySeconds": 5}
	if err := s.update("AWS::SQS::Queue", "Queue", old, updated); err != nil {
		t.Fatal(err)
	}
	now, err := s.services.queues().GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil || now.Attributes["VisibilityTimeout"] != "30" || now.Attributes["DelaySeconds"] != "5" || now.Attributes["RedrivePolicy"] != "" {
		t.Errorf("attributes: %v (%v)", now, err)
	}
}

// A second queue, topic or table of a name is refused, although the services' own calls return the first one.
func TestNamesOfMessagingAreTaken(t *testing.T) {
	s := newStack(t)
	table := Properties{
		"TableName": s.name, "BillingMode": "PAY_PER_REQUEST",
		"KeySchema":            []any{map[string]any{"AttributeName": "id", "KeyType": "HASH"}},
		"AttributeDefinitions": []any{map[string]any{"AttributeName": "id", "AttributeType": "S"}},
	}
	for kind, p := range map[string]Properties{
		"AWS::SQS::Queue": {"QueueName": s.name}, "AWS::SNS::Topic": {"TopicName": s.name}, "AWS::DynamoDB::Table": table,
	} {
		s.create(kind, strings.ReplaceAll(kind, ":", ""), p)
		if _, err := s.find(kind, p).Create(t.Context(), s.request(kind, "Second"), p); err == nil {
			t.Errorf("%s: the name was taken twice", kind)
		}
	}
}

// A table keeps its items through an update, and a protected one does not go.
func TestTable(t *testing.T) {
	s := newStack(t)
	old := Properties{
		"TableName": s.name + "-orders", "BillingMode": "PAY_PER_REQUEST",
		"KeySchema": []any{map[string]any{"AttributeName": "id", "KeyType": "HASH"}, map[string]any{"AttributeName": "at", "KeyType": "RANGE"}},
		"AttributeDefinitions": []any{
			map[string]any{"AttributeName": "id", "AttributeType": "S"}, map[string]any{"AttributeName": "at", "AttributeType": "N"},
		},
		"TimeToLiveSpecification":          map[string]any{"AttributeName": "gone", "Enabled": true},
		"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": false},
	}
	name := s.create("AWS::DynamoDB::Table", "Table", old)
	item := map[string]dbtypes.AttributeValue{"id": &dbtypes.AttributeValueMemberS{Value: "1"}, "at": &dbtypes.AttributeValueMemberN{Value: "2"}}
	if _, err := s.services.tables().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: item}); err != nil {
		t.Fatal(err)
	}
	updated := old.without("TimeToLiveSpecification")
	updated["PointInTimeRecoverySpecification"] = map[string]any{"PointInTimeRecoveryEnabled": true}
	if err := s.update("AWS::DynamoDB::Table", "Table", old, updated); err != nil {
		t.Fatal(err)
	}
	expiry, err := s.services.tables().DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil || expiry.TimeToLiveDescription.TimeToLiveStatus != dbtypes.TimeToLiveStatusDisabled {
		t.Errorf("time to live: %+v (%v)", expiry, err)
	}
	got, err := s.services.tables().GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &name, Key: item})
	if err != nil || got.Item == nil {
		t.Errorf("item: %+v (%v)", got, err)
	}
	if err := deleteTable(t.Context(), s.request("AWS::DynamoDB::Table", "Table"), name, Properties{"DeletionProtectionEnabled": true}); err == nil {
		t.Error("a protected table was deleted")
	}
}
