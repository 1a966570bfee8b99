package policy

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// However its statements are cut, a policy means the same.
func TestPermissions(t *testing.T) {
	want := []string{
		`Allow s3:GetObject arn:aws:s3:::b/* null`,
		`Allow s3:ListBucket arn:aws:s3:::b {"StringLike":{"s3:prefix":"a/*"}}`,
		`Allow s3:PutObject arn:aws:s3:::b/* null`,
	}
	prefix := map[string]any{"StringLike": map[string]any{"s3:prefix": "a/*"}}
	for name, document := range map[string]Document{
		"written": Of(Allow("Objects", List{"arn:aws:s3:::b/*"}, "s3:PutObject", "s3:GetObject"), Allow("List", List{"arn:aws:s3:::b"}, "s3:ListBucket").If(prefix)),
		"read": read(t, `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"},
			{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]},
			{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b", "Condition": {"StringLike": {"s3:prefix": "a/*"}}}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, document.Permissions()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A condition belongs to the statement that it returns, not to the one that it was asked of.
func TestIf(t *testing.T) {
	plain := Allow("", List{"*"}, "s3:ListBucket")
	if conditional := plain.If(map[string]any{"Null": map[string]any{"s3:prefix": "true"}}); plain.Condition != nil || conditional.Condition == nil {
		t.Errorf("got %v and %v", plain, conditional)
	}
}

// A resource that is no string, such as a reference in a template, is an error and not an empty policy.
func TestListRefusesReferences(t *testing.T) {
	var document Document
	if err := json.Unmarshal([]byte(`{"Statement": [{"Resource": {"Ref": "Bucket"}}]}`), &document); err == nil {
		t.Errorf("got %v", document)
	}
}

func read(t *testing.T, text string) Document {
	t.Helper()
	var document Document
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return document
}
