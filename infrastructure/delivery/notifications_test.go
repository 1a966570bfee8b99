package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// Every address is told, the events of the pipelines and of no others count, and both ends of an execution move the metric.
func TestNotifications(t *testing.T) {
	env := cdktest.Environment(t)
	env.Delivery.Notify = []string{"a@example.com", "b@example.com"}
	s := newShared(t, env)
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::SNS::Topic", map[string]any{"TopicName": "dev-delivery"})
	for _, address := range env.Delivery.Notify {
		template.Has("AWS::SNS::Subscription", map[string]any{"Protocol": "email", "Endpoint": address})
	}
	template.Has("AWS::Events::Rule", map[string]any{"EventPattern": object(map[string]any{
		"detail": map[string]any{"pipeline": []any{"dev-deploy", "dev-other"}, "state": []any{"FAILED", "SUCCEEDED"}},
	})})
	for value, state := range map[string]string{"0": "SUCCEEDED", "1": "FAILED"} {
		template.Has("AWS::Logs::MetricFilter", map[string]any{
			"FilterPattern":         `{ ($.source = "aws.codepipeline") && ($.detail.state = "` + state + `") }`,
			"MetricTransformations": []any{object(map[string]any{"MetricName": failedMetric, "MetricNamespace": "dev/delivery", "MetricValue": value})},
		})
	}
	template.Has("AWS::Logs::ResourcePolicy", map[string]any{"PolicyName": "dev-delivery-events", "PolicyDocument": pattern(`log-group:/aws/events/dev-delivery:`)})
	template.Has("AWS::KMS::Key", map[string]any{"KeyPolicy": object(map[string]any{"Statement": list(object(map[string]any{"Sid": "PublishAlarms"}))})})
}
