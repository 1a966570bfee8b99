package appresources

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// The identity is the sender's domain, its records are in the zone, and one sender is allowed.
func TestMail(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	mail := NewMail(stack, "Mail", &MailProps{Env: env, Zone: network(stack).Zone, From: "shop@mail.example.com"})
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::SES::EmailIdentity", map[string]any{"EmailIdentity": "mail.example.com"})
	template.Count("AWS::Route53::RecordSet", 3)
	template.Has("AWS::Route53::RecordSet", map[string]any{"HostedZoneId": "Z1", "Type": "CNAME"})
	identities := "arn:aws:ses:" + env.Region + ":" + env.Account + ":identity/*"
	want := []string{
		"Allow ses:SendEmail " + identities + ` {"StringEquals":{"ses:FromAddress":"shop@mail.example.com"}}`,
		"Allow ses:SendRawEmail " + identities + ` {"StringEquals":{"ses:FromAddress":"shop@mail.example.com"}}`,
	}
	if diff := cmp.Diff(want, mail.Rights.Permissions()); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}
