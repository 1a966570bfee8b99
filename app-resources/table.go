package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
)

// Attribute is a key of a table.
type Attribute struct {
	Name string
	// Type is string, number or binary; string by default.
	Type string
}

// TableProps says whose table it is. Its agreed name is <environment>-<app>.
type TableProps struct {
	Env config.Environment
	App string
	// PartitionKey finds items, and SortKey, if it has a name, orders those of one partition key. They cannot change.
	PartitionKey, SortKey Attribute
	// Expires is the attribute with the time, in seconds since 1970, at which DynamoDB deletes an item; none by default.
	Expires string
	// Recovery keeps what is needed to restore any second of the last 35 days.
	Recovery bool
}

// Table is a table of DynamoDB.
type Table struct {
	constructs.Construct
	construct.Part
	Table awsdynamodb.Table
	// Rights are what a role needs to read and write items.
	Rights policy.Document
}

// NewTable makes a table that is paid by request and encrypted by DynamoDB's own key. Its agreed name keeps CloudFormation
// from replacing it: another key needs another table.
func NewTable(scope constructs.Construct, id string, props *TableProps) *Table {
	t, env := &Table{}, props.Env
	construct.Init(t, scope, id)
	own := &awsdynamodb.TableProps{
		TableName:          jsii.String(env.TableName(props.App)),
		PartitionKey:       props.PartitionKey.cdk(),
		BillingMode:        awsdynamodb.BillingMode_PAY_PER_REQUEST,
		DeletionProtection: jsii.Bool(env.DeletionProtection),
		RemovalPolicy:      retention.Of(env).Data(),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(props.Recovery),
		},
	}
	if props.SortKey.Name != "" {
		own.SortKey = props.SortKey.cdk()
	}
	if props.Expires != "" {
		own.TimeToLiveAttribute = jsii.String(props.Expires)
	}
	t.Table = awsdynamodb.NewTable(t, jsii.String("Table"), own)
	retention.Of(env).BackUp(t.Table)
	t.Rights = policy.Of(policy.Allow("", policy.List{env.ARN("dynamodb", "table/"+env.TableName(props.App))},
		"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:DescribeTable",
		"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem"))
	return t
}

func (a Attribute) cdk() *awsdynamodb.Attribute {
	kind := map[string]awsdynamodb.AttributeType{
		"": awsdynamodb.AttributeType_STRING, "string": awsdynamodb.AttributeType_STRING,
		"number": awsdynamodb.AttributeType_NUMBER, "binary": awsdynamodb.AttributeType_BINARY,
	}[a.Type]
	return &awsdynamodb.Attribute{Name: jsii.String(a.Name), Type: kind}
}
