package main

import (
	"encoding/json"
	"slices"
	"testing"

	"k8s-plus-aws-gitops/infrastructure/delivery"
	"k8s-plus-aws-gitops/internal/awsdata"
	"k8s-plus-aws-gitops/internal/golden"
)

// Actions of read handlers that whoever looks for drift does not get: they read what is kept secret, or the values of parameters,
// of which delivery.DriftRights names the one that a stack has. Where CloudFormation insists, the report says that it did not see.
var withheldReads = []string{"secretsmanager:GetSecretValue", "ssm:GetParameters"}

// Drift detection reads with the rights of its caller: the read handlers of the types in the templates, where they change nothing.
func TestDriftReads(t *testing.T) {
	reads := []string{}
	for _, parsed := range sampleApp(t) {
		for id, r := range parsed.Resources {
			kind, err := awsdata.Type(r.Type)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			for _, action := range kind.Handlers["read"] {
				known, ok := awsdata.Find(action)
				if ok && (known.Level == "Read" || known.Level == "List") && !slices.Contains(withheldReads, action) {
					reads = append(reads, action)
				}
			}
		}
	}
	slices.Sort(reads)
	text, err := json.MarshalIndent(slices.Compact(reads), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "infrastructure/delivery/reads.json", append(text, '\n')) // written anew, the templates follow by a second make golden
}

// Nothing that the role of drift may do changes anything but its memory and a message.
func TestDriftOnlyReads(t *testing.T) {
	env := environments(t, sample(t), "")[0]
	for _, s := range delivery.DriftRights(env) {
		for _, action := range s.Action {
			known, ok := awsdata.Find(action)
			switch {
			case !ok:
				t.Errorf("%s is not in internal/awsdata/data.json: %s", action, awsdata.Renew)
			case known.Level != "Read" && known.Level != "List":
				t.Errorf("%s is of level %s", action, known.Level)
			}
		}
	}
}
