package appresources

import (
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// What others refer to without the stack, by agreed names, is what the stack makes; mail is made for SES alone.
func TestGhost(t *testing.T) {
	for transport, identities := range map[config.MailTransport]int{config.MailSES: 1, config.MailNone: 0} {
		t.Run(string(transport), func(t *testing.T) {
			env := cdktest.Environment(t)
			env.Ghost.Mail.Transport = transport
			stack := cdktest.Stack(t, env)
			made := NewGhost(stack, "Ghost", &GhostProps{Env: env, Network: network(stack)})
			if want := "arn:aws:iam::" + env.Account + ":role/dev-ghost"; made.RoleARN != want {
				t.Errorf("got role %s, want %s", made.RoleARN, want)
			}
			template := cdktest.Synthesize(t, stack)
			template.Has("AWS::IAM::Role", map[string]any{"RoleName": "dev-ghost"})
			template.Has("AWS::ECR::Repository", map[string]any{"RepositoryName": made.Images})
			template.Count("AWS::SES::EmailIdentity", identities)
		})
	}
}
