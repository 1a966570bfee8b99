package delivery

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// The budget counts what has the environment's tag, has no name that a replacement would find taken, and tells the topic, to which
// and to whose key AWS Budgets has a right for this account alone.
func TestBudget(t *testing.T) {
	env := cdktest.Environment(t)
	env.Cost.Budget = 500
	s := newShared(t, env)
	c := NewCost(s.stack, "Cost", &CostProps{Env: env, Notifications: s.told})
	if c.Subscription != nil {
		t.Error("without cost.anomalies nothing looks for them")
	}
	template := cdktest.Synthesize(t, s.stack)
	topic := map[string]any{"Ref": pattern("^NotificationsTopic")}
	tells := func(kind string, percent int) map[string]any {
		return map[string]any{
			"Notification": map[string]any{"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": percent, "ThresholdType": "PERCENTAGE"},
			"Subscribers":  []any{object(map[string]any{"SubscriptionType": "SNS", "Address": topic})},
		}
	}
	template.Has("AWS::Budgets::Budget", map[string]any{
		"Budget": map[string]any{
			"BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": map[string]any{"Amount": 500, "Unit": "USD"}, "Metrics": []any{"UnblendedCost"},
			"FilterExpression": map[string]any{"Tags": map[string]any{"Key": "environment", "Values": []any{"dev"}, "MatchOptions": []any{"EQUALS"}}},
		},
		"NotificationsWithSubscribers": []any{object(tells("ACTUAL", 80)), object(tells("ACTUAL", 100)), object(tells("FORECASTED", 100))},
	})
	statement := object(map[string]any{"Principal": map[string]any{"Service": "budgets.amazonaws.com"}, "Condition": map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": env.Account}, "ArnLike": map[string]any{"aws:SourceArn": "arn:aws:budgets::" + env.Account + ":*"},
	}})
	template.Has("AWS::SNS::TopicPolicy", map[string]any{"PolicyDocument": object(map[string]any{"Statement": list(statement)})})
	template.Has("AWS::KMS::Key", map[string]any{"KeyPolicy": object(map[string]any{"Statement": list(statement)})})
}

// Each kind of anomalies has its monitor, or the one that is there, and tells the topic at once. Tags, which are create-only here, do
// not follow those of the stack.
func TestAnomalies(t *testing.T) {
	arn := "arn:aws:ce::111111111111:anomalymonitor/01234567-89ab-cdef-0123-456789abcdef"
	for anomalies, monitor := range map[string]map[string]any{
		config.AnomaliesOfEnvironment: {"MonitorType": "CUSTOM", "MonitorSpecification": `{"Tags":{"Key":"environment","MatchOptions":["EQUALS"],"Values":["dev"]}}`},
		config.AnomaliesOfAccount:     {"MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"},
		arn:                           nil,
	} {
		t.Run(anomalies, func(t *testing.T) {
			env := cdktest.Environment(t)
			env.Cost.Anomalies, env.Cost.AnomaliesFrom = anomalies, 20
			s := newShared(t, env)
			awscdk.Tags_Of(s.stack).Add(jsii.String("team"), jsii.String("platform"), nil)
			c := NewCost(s.stack, "Cost", &CostProps{Env: env, Notifications: s.told})
			if c.Budget != nil {
				t.Error("without cost.budget there is a budget")
			}
			template := cdktest.Synthesize(t, s.stack)
			var watched any = arn
			template.ResourceCountIs(jsii.String("AWS::CE::AnomalyMonitor"), jsii.Number(len(monitor)/2))
			if monitor != nil {
				template.Has("AWS::CE::AnomalyMonitor", monitor)
				watched = map[string]any{"Fn::GetAtt": []any{pattern("^Cost"), "MonitorArn"}}
			}
			template.Has("AWS::CE::AnomalySubscription", map[string]any{
				"Frequency": "IMMEDIATE", "ResourceTags": []any{map[string]any{"Key": "environment", "Value": "dev"}}, "MonitorArnList": []any{watched}, "ThresholdExpression": pattern(`"ANOMALY_TOTAL_IMPACT_ABSOLUTE".*\["20"\]`),
				"Subscribers": []any{object(map[string]any{"Type": "SNS", "Address": map[string]any{"Ref": pattern("^NotificationsTopic")}})},
			})
			statement := object(map[string]any{"Principal": map[string]any{"Service": "costalerts.amazonaws.com"}, "Condition": map[string]any{
				"StringEquals": map[string]any{"aws:SourceAccount": env.Account},
			}})
			template.Has("AWS::SNS::TopicPolicy", map[string]any{"PolicyDocument": object(map[string]any{"Statement": list(statement)})})
			template.Has("AWS::KMS::Key", map[string]any{"KeyPolicy": object(map[string]any{"Statement": list(statement)})})
		})
	}
}
