package teardown

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/config"
)

// teardown is of the environment local, by an API that a test answers for. What only a whole AWS can answer, the tests in
// local/test/product/teardown ask.
func teardown(api string) *Teardown {
	return &Teardown{
		Env: config.Environment{Name: "local", Account: "000000000000", Region: "eu-west-1", Domain: "localhost"},
		AWS: aws.Config{Region: "eu-west-1", BaseEndpoint: &api, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")},
		Say: func(string, ...any) {}, Poll: time.Millisecond,
	}
}

// A build that runs is stopped: it deploys, and writes into the bucket that is about to go.
func TestStopBuilds(t *testing.T) {
	var calls []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch action {
		case "ListBuildsForProject":
			if strings.Contains(string(body), "gone") {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"__type": "ResourceNotFoundException"}`)
				return
			}
			_, _ = io.WriteString(w, `{"ids": ["local-deploy:2", "local-deploy:1"]}`)
		case "BatchGetBuilds":
			_, _ = io.WriteString(w, `{"builds": [{"id": "local-deploy:2", "buildStatus": "IN_PROGRESS"}, {"id": "local-deploy:1", "buildStatus": "SUCCEEDED"}]}`)
		default:
			calls = append(calls, action+string(body))
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	defer api.Close()
	td := teardown(api.URL)
	for _, project := range []string{"local-deploy", "gone"} {
		if err := td.stopBuilds(t.Context(), project); err != nil {
			t.Errorf("%s: %v", project, err)
		}
	}
	if got := strings.Join(calls, ", "); got != `StopBuild{"id":"local-deploy:2"}` {
		t.Errorf("calls: %s, must stop the build that runs, and no other", got)
	}
}

// What people made is named: it outlives the stacks, and nobody else knows of it.
func TestMadeByHand(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListSecrets") {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = io.WriteString(w, `{"SecretList": [{"ARN": "a", "Name": "/local/flux/git-read"}, {"ARN": "b", "Name": "/local-two/flux/git-read"}]}`)
			return
		}
		if r.FormValue("Action") != "DescribeDBSnapshots" || r.FormValue("DBInstanceIdentifier") != "local-app" || r.FormValue("SnapshotType") != "manual" {
			t.Errorf("asks %v", r.Form)
		}
		_, _ = io.WriteString(w, "<DescribeDBSnapshotsResponse><DescribeDBSnapshotsResult><DBSnapshots><DBSnapshot><DBSnapshotIdentifier>before-the-move</DBSnapshotIdentifier></DBSnapshot></DBSnapshots></DescribeDBSnapshotsResult></DescribeDBSnapshotsResponse>")
	}))
	defer api.Close()
	kept, err := teardown(api.URL).kept(t.Context(), Plan{Stacks: []Stack{{Resources: []Resource{{Type: "AWS::RDS::DBInstance", ID: "local-app", Policy: "Delete"}}}}}, "/local/")
	if err != nil || len(kept) != 2 || kept[0].What != "snapshot before-the-move" || kept[1].What != "secret /local/flux/git-read" {
		t.Errorf("got %v (%v), must be the snapshot and the environment's own secret", kept, err)
	}
}

func TestRefused(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
	}))
	defer api.Close()
	protected := teardown(api.URL)
	protected.Env.DeletionProtection = true
	if err := protected.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "environments.local.deletionProtection is true") {
		t.Errorf("%v, must refuse a protected environment", err)
	}
	elsewhere := teardown(api.URL)
	elsewhere.Env.Account = "111111111111"
	if err := elsewhere.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "local is in account 111111111111 and the credentials are of account 000000000000") {
		t.Errorf("%v, must refuse credentials of another account", err)
	}
	if err := teardown(api.URL).Check(t.Context()); err != nil {
		t.Errorf("%v, must accept the environment's own account", err)
	}
}
