package delivery

import (
	"encoding/json"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbudgets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsce"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
)

// costTag is the tag of all that the environment has, by its name.
const costTag = "environment"

// CostProps says of which environment the cost is, and who hears of it. What is told is that of cost.
type CostProps struct {
	Env           config.Environment
	Notifications *Notifications
}

// Cost is what tells of an environment's cost.
type Cost struct {
	constructs.Construct
	construct.Part
	// Budget is nil without cost.budget, Subscription with cost.anomalies none.
	Budget       awsbudgets.CfnBudget
	Subscription awsce.CfnAnomalySubscription
}

// NewCost makes the budget of cost.budget, and what tells of the anomalies that cost.anomalies finds, both to the topic of the
// pipelines. Both services are global: their resources are made from any region, and act in none. The budget, and a monitor of the
// environment, see what has the tag `environment`, once the account that pays has activated it for cost allocation.
func NewCost(scope constructs.Construct, id string, props *CostProps) *Cost {
	c, env := &Cost{}, props.Env
	construct.Init(c, scope, id)
	if env.Budgets() {
		c.budget(props)
	}
	if env.FindsAnomalies() {
		c.anomalies(props)
	}
	return c
}

// budget makes the budget. It has the name that CloudFormation gives it: another list of what is told replaces it, and a name of
// its own would still be taken. https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
func (c *Cost) budget(props *CostProps) {
	env, topic := props.Env, props.Notifications.Topic.TopicArn()
	props.Notifications.admit("Budgets", "budgets.amazonaws.com", env, map[string]any{
		"ArnLike": map[string]any{"aws:SourceArn": "arn:" + env.Partition() + ":budgets::" + env.Account + ":*"},
	})
	var told []any
	for _, n := range []struct {
		kind    string
		percent float64
	}{{"ACTUAL", 80}, {"ACTUAL", 100}, {"FORECASTED", 100}} {
		told = append(told, &awsbudgets.CfnBudget_NotificationWithSubscribersProperty{
			Notification: &awsbudgets.CfnBudget_NotificationProperty{
				NotificationType: jsii.String(n.kind), ComparisonOperator: jsii.String("GREATER_THAN"), Threshold: jsii.Number(n.percent), ThresholdType: jsii.String("PERCENTAGE"),
			},
			Subscribers: []any{&awsbudgets.CfnBudget_SubscriberProperty{SubscriptionType: jsii.String("SNS"), Address: topic}},
		})
	}
	c.Budget = awsbudgets.NewCfnBudget(c, jsii.String("Budget"), &awsbudgets.CfnBudgetProps{
		Budget: &awsbudgets.CfnBudget_BudgetDataProperty{
			BudgetType: jsii.String("COST"), TimeUnit: jsii.String("MONTHLY"), Metrics: jsii.Strings("UnblendedCost"),
			BudgetLimit: &awsbudgets.CfnBudget_SpendProperty{Amount: jsii.Number(float64(env.Cost.Budget)), Unit: jsii.String("USD")},
			FilterExpression: &awsbudgets.CfnBudget_ExpressionProperty{Tags: &awsbudgets.CfnBudget_TagValuesProperty{
				Key: jsii.String(costTag), Values: jsii.Strings(env.Name), MatchOptions: jsii.Strings("EQUALS"),
			}},
		},
		NotificationsWithSubscribers: told,
		ResourceTags:                 []any{&awsbudgets.CfnBudget_ResourceTagProperty{Key: jsii.String(costTag), Value: jsii.String(env.Name)}},
	})
	construct.After(c.Budget, props.Notifications.Topic)
}

// anomalies tells of each anomaly when it is found: a subscription that is immediate takes a topic and no address.
// https://docs.aws.amazon.com/cost-management/latest/userguide/ad-SNS.html
func (c *Cost) anomalies(props *CostProps) {
	env := props.Env
	props.Notifications.admit("Anomalies", "costalerts.amazonaws.com", env, nil)
	c.Subscription = awsce.NewCfnAnomalySubscription(c, jsii.String("Subscription"), &awsce.CfnAnomalySubscriptionProps{
		SubscriptionName: jsii.String(env.StackName("delivery")), Frequency: jsii.String("IMMEDIATE"),
		MonitorArnList: &[]any{c.monitor(env)},
		Subscribers:    []any{&awsce.CfnAnomalySubscription_SubscriberProperty{Type: jsii.String("SNS"), Address: props.Notifications.Topic.TopicArn()}},
		ThresholdExpression: expression("Dimensions", map[string]any{
			"Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE", "MatchOptions": []string{"GREATER_THAN_OR_EQUAL"}, "Values": []string{strconv.Itoa(env.Cost.AnomaliesFrom)},
		}),
	})
	keepTags(c.Subscription, env)
	construct.After(c.Subscription, props.Notifications.Topic)
}

// monitor makes what finds anomalies, and returns its ARN. The kinds have logical IDs of their own: one kind cannot become the other.
func (c *Cost) monitor(env config.Environment) *string {
	var id string
	props := &awsce.CfnAnomalyMonitorProps{}
	switch env.Cost.Anomalies {
	case config.AnomaliesOfEnvironment:
		props.MonitorName, props.MonitorType = jsii.String(env.StackName("environment")), jsii.String("CUSTOM")
		props.MonitorSpecification = expression("Tags", map[string]any{"Key": costTag, "MatchOptions": []string{"EQUALS"}, "Values": []string{env.Name}})
		id = "Environment"
	case config.AnomaliesOfAccount:
		props.MonitorName, props.MonitorType, props.MonitorDimension = jsii.String(env.StackName("account")), jsii.String("DIMENSIONAL"), jsii.String("SERVICE")
		id = "Account"
	default:
		return jsii.String(env.Cost.Anomalies)
	}
	monitor := awsce.NewCfnAnomalyMonitor(c, jsii.String(id), props)
	keepTags(monitor, env)
	return monitor.AttrMonitorArn()
}

// keepTags leaves a resource of Cost Explorer the environment's tag alone. Its tags are create-only: with those of the configuration, a new
// tag would replace a monitor, which loses what it has learned, and of which there can be no second one beside it.
func keepTags(resource awscdk.CfnResource, env config.Environment) {
	resource.AddPropertyOverride(jsii.String("ResourceTags"), []any{map[string]any{"Key": costTag, "Value": env.Name}})
}

// expression is one of Cost Explorer, as text.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Expression.html
func expression(kind string, of map[string]any) *string {
	text, _ := json.Marshal(map[string]any{kind: of}) // texts and lists of them always have a JSON text
	return jsii.String(string(text))
}
