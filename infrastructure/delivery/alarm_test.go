package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// An alarm reads the metric that the notifications write, and tells of the failure and of the success after it.
func TestAlarm(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewAlarm(s.stack, "Alarm", &AlarmProps{Env: s.env, Notifications: s.told, Pipeline: "deploy"})
	topic := []any{object(map[string]any{"Ref": pattern("^NotificationsTopic")})}
	cdktest.Synthesize(t, s.stack).Has("AWS::CloudWatch::Alarm", map[string]any{
		"AlarmName": "dev-deploy-failed", "Namespace": "dev/delivery", "MetricName": failedMetric,
		"Dimensions":       []any{map[string]any{"Name": "Pipeline", "Value": "dev-deploy"}},
		"TreatMissingData": "ignore", "Period": 60, "AlarmActions": topic, "OKActions": topic,
	})
}
