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

func (s *snapshots) RestoreInstance(_ context.Context, instance, id string) error {
	s.asked = append(s.asked, "restore "+instance+" "+id)
	return nil
}

func (s *snapshots) SetPassword(_ context.Context, instance, password string) error {
	s.asked = append(s.asked, "password "+instance+" "+password)
	return nil
}

func (s *snapshots) RemoveInstance(_ context.Context, instance string) error {
	s.asked = append(s.asked, "remove "+instance)
	return nil
}

func (s *snapshots) Instance(instance, engine string) (host string, port int, name string, restored bool, err error) {
	return "127.0.0.1", map[string]int{"mysql": 3306, "postgres": 5432}[engine], "r1", instance == "restored", nil
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
		{"ME", "rds", "POST", "/", "", "Action=RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=restored&DBSnapshotIdentifier=last", 200, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=RestoreDBInstanceToPointInTime&TargetDBInstanceIdentifier=restored", 400, "only snapshots can be restored"},
		{"ME", "rds", "POST", "/", "", "Action=ModifyDBInstance&DBInstanceIdentifier=restored&MasterUserPassword=new", 200, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=DeleteDBInstance&DBInstanceIdentifier=unknown", 404, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=DeleteDBInstance&DBInstanceIdentifier=restored", 200, "moto"},
		{"ME", "rds", "POST", "/", "", "Action=DescribeDBInstances", 200, "moto"},
	} {
		if code, text := call(c.key, c.service, c.method, c.path, c.target, c.body); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s %s %s %s: %d %s", c.key, c.service, c.method, c.body, code, text)
		}
	}
	if reached != 11 {
		t.Errorf("moto was reached %d times", reached)
	}
	if want := []string{"keep a last", "keep a full", "forget last", "restore restored last", "password restored new", "remove restored"}; !slices.Equal(kept.asked, want) {
		t.Errorf("asked %q, want %q", kept.asked, want)
	}
}

// An instance is where the server of its engine is, and one that was restored has names of its own; which moments can be restored is
// not for moto to say.
func TestLocated(t *testing.T) {
	f := &Front{opt: Options{Snapshots: &snapshots{}}}
	instance := func(id, engine, name, address string) string {
		return "<DBInstance><DBInstanceIdentifier>" + id + "</DBInstanceIdentifier><Engine>" + engine + "</Engine><MasterUsername>" + name + "</MasterUsername><DBName>" + name +
			"</DBName><Endpoint><Address>" + address + "</Endpoint></DBInstance>"
	}
	moto := strings.ReplaceAll(instance("a", "mysql", "shop", "a.rds</Address>"), "<Endpoint>", "<LatestRestorableTime>now</LatestRestorableTime><Endpoint>") +
		instance("restored", "postgres", "shop", "b.rds</Address><Port>1</Port>")
	want := instance("a", "mysql", "shop", "127.0.0.1</Address><Port>3306</Port>") + instance("restored", "postgres", "r1", "127.0.0.1</Address><Port>5432</Port>")
	if got, err := f.located([]byte(moto)); err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
