package main

import (
	"fmt"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
)

// SES signs for the domain of the one address that the role may send from, and the zone has the records of the signature.
func TestMail(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		ghost := templates[env.StackName("ghost")]
		identity := ghost.only(t, "AWS::SES::EmailIdentity")
		if got := identity.Properties["EmailIdentity"]; got != "ghost."+env.Domain {
			t.Errorf("%s: the identity is %v", env.Name, got)
		}
		records := ghost.ofType("AWS::Route53::RecordSet")
		if len(records) != 3 {
			t.Errorf("%s: %d records, want the 3 of Easy DKIM", env.Name, len(records))
		}
		for id, r := range records {
			number := id[len("GhostMailDKIM"):][:1]
			if r.Properties["Type"] != "CNAME" || !strings.HasSuffix(fmt.Sprint(get(r.Properties, "Name", "Fn::GetAtt", 1)), "TokenName"+number) ||
				!strings.HasSuffix(fmt.Sprint(get(r.Properties, "ResourceRecords", 0, "Fn::GetAtt", 1)), "TokenValue"+number) {
				t.Errorf("%s: %s is %s", env.Name, id, text(r.Properties))
			}
			if env.HostedZone != nil && r.Properties["HostedZoneId"] != env.HostedZone.ID {
				t.Errorf("%s: %s is in zone %s", env.Name, id, text(r.Properties["HostedZoneId"]))
			}
		}
		// The resource of the rights is every identity, so the condition is what leaves one sender.
		if from := senders(ghost); len(from) != 1 || from[0] != "noreply@ghost."+env.Domain {
			t.Errorf("%s: mail may come from %v", env.Name, from)
		}
	}
}

// A service has an identity of its own, of a domain that nobody else's identity is of, and sends from one address in it.
func TestServiceMail(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		billing := templates[env.StackName("billing")]
		identity := billing.only(t, "AWS::SES::EmailIdentity").Properties["EmailIdentity"]
		if from := senders(billing); identity != "billing."+env.Domain || len(from) != 1 || from[0] != "invoices@billing."+env.Domain {
			t.Errorf("%s: identity %v, senders %v", env.Name, identity, from)
		}
		for stack, other := range templates {
			for _, r := range other.ofType("AWS::SES::EmailIdentity") {
				if stack != env.StackName("billing") && r.Properties["EmailIdentity"] == identity {
					t.Errorf("%s makes the identity %v, too", stack, identity)
				}
			}
		}
	}
}

// senders are the addresses that the roles of a stack may send from; "any" for a statement without a condition.
func senders(stack template) []any {
	var from []any
	for _, role := range stack.ofType("AWS::IAM::Role") {
		for _, policy := range asList(role.Properties["Policies"]) {
			for _, s := range asList(get(policy, "PolicyDocument", "Statement")) {
				if !strings.Contains(text(get(s, "Action")), "ses:") {
					continue
				}
				if address := get(s, "Condition", "StringEquals", "ses:FromAddress"); address != nil {
					from = append(from, address)
				} else {
					from = append(from, "any")
				}
			}
		}
	}
	return from
}

// Another sender has its own identity; without SES there is none, and no right to send.
func TestMailVariants(t *testing.T) {
	for name, c := range map[string]struct {
		mail     map[string]any
		identity any
		from     any
	}{
		"the domain itself": {map[string]any{"from": "blog@dev.example.com"}, "dev.example.com", "blog@dev.example.com"},
		"smtp":              {map[string]any{"transport": string(config.MailSMTP), "from": "blog@example.org"}, nil, nil},
		"none":              {map[string]any{"transport": string(config.MailNone)}, nil, nil},
	} {
		context := sample(t)
		dev := context["gitops"].(map[string]any)["environments"].(map[string]any)["dev"].(map[string]any)
		dev["ghost"].(map[string]any)["mail"] = c.mail
		ghost := read(t, synthesize(t, context, environments(t, context, "dev"), false))["dev-ghost"]
		var identity, from any
		for _, r := range ghost.ofType("AWS::SES::EmailIdentity") {
			identity = r.Properties["EmailIdentity"]
		}
		for _, address := range senders(ghost) {
			from = address
		}
		if records := len(ghost.ofType("AWS::Route53::RecordSet")); identity != c.identity || from != c.from || (records == 0) != (identity == nil) {
			t.Errorf("%s: identity %v, sender %v, %d records", name, identity, from, records)
		}
	}
}
