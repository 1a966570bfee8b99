package front

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/local/endpoint/permissions"
)

// snapshots note what they are asked for.
type snapshots struct{ asked []string }

func (s *snapshots) KeepSnapshot(_ context.Context, instance, id string) error {
	s.asked = append(s.asked, "keep "+instance+" "+id)
	if id == "full" {
		return errors.New("no space left")
	}
	return nil
}

func (s *snapshots) ForgetSnapshot(_ context.Context, id string) error {
	s.asked = append(s.asked, "forget "+id)
	return nil
}

// A pod gets an answer that the SDK of each protocol takes for a denial, and nothing reaches the service. Snapshots are kept
// once moto has taken the call.
func TestRightsAndSnapshots(t *testing.T) {
	kept := &snapshots{}
	reached := 0
	moto := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "unknown") {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "moto")
	}))
	t.Cleanup(moto.Close)
	f, err := New(Options{
		Moto: moto.URL, Account: "000000000000", Region: "eu-west-1", Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Snapshots: kept,
		Policies: func(context.Context, string) ([]permissions.Policy, error) {
			return []permissions.Policy{{Statements: []permissions.Statement{{Effect: "Allow", Actions: []string{"s3:GetObject"}, Resources: []string{"*"}}}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.calls.Issued("POD", "arn:aws:iam::000000000000:role/local-orders"); err != nil {
		t.Fatal(err)
	}
	call := func(key, service, method, path, target, body string) (int, string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20261120/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		key, service, method, path, target, body string
		code                                     int
		says                                     string
	}{
		{"POD", "s3", "GET", "/b/k", "", "", 200, "moto"},
		{"POD", "s3", "PUT", "/b/k", "", "x", 403, "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::000000000000:role/local-orders is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/k"},
		{"POD", "sns", "POST", "/", "", "Action=Publish", 403, "<ErrorResponse><Error><Code>AccessDenied</Code>"},
		{"POD", "sqs", "POST", "/", "AmazonSQS.SendMessage", `{"QueueUrl": "http://x/000000000000/other"}`, 400, `"__type":"AccessDeniedException"`},
		{"POD", "ses", "POST", "/v2/email/outbound-emails", "", "{}", 400, "AccessDeniedException"},
		{"ME", "s3", "PUT", "/b/k", "", "x", 200, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=CreateDBSnapshot&DBInstanceIdentifier=a&DBSnapshotIdentifier=last", 200, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=CreateDBSnapshot&DBInstanceIdentifier=unknown&DBSnapshotIdentifier=last", 404, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=CreateDBSnapshot&DBInstanceIdentifier=a&DBSnapshotIdentifier=full", 500, "no space left"},
		{"ME", "rds", "POST", "/", "", "Action=DeleteDBSnapshot&DBSnapshotIdentifier=last", 200, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=DescribeDBInstances", 200, "moto"},
	} {
		if code, text := call(c.key, c.service, c.method, c.path, c.target, c.body); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s %s %s %s: %d %s", c.key, c.service, c.method, c.body, code, text)
		}
	}
	if reached != 7 {
		t.Errorf("moto was reached %d times", reached)
	}
	if want := []string{"keep a last", "keep a full", "forget last"}; !slices.Equal(kept.asked, want) {
		t.Errorf("asked %q, want %q", kept.asked, want)
	}
}
