package awsclient

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

func client(t *testing.T, patient bool, h http.HandlerFunc) *cloudformation.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-central-1", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
	var c aws.Config
	var err error
	if patient {
		c, err = Load(t.Context(), Patient)
	} else {
		c, err = Load(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return cloudformation.NewFromConfig(c)
}

const (
	before = "<GetTemplateResponse><GetTemplateResult><TemplateBody>"
	after  = "</TemplateBody></GetTemplateResult></GetTemplateResponse>"
)

// A pipeline's Plan once failed because CloudFormation did not answer three times within two seconds.
func TestPatient(t *testing.T) {
	var asked atomic.Int32
	c := client(t, true, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, before+"{}"+after)
	})
	if _, err := c.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("s")}); err != nil {
		t.Errorf("after %d answers: %v", asked.Load(), err)
	}
}

// Without Load the SDK fails a few of these calls, and repeats them.
func TestEachCallIsMadeOnce(t *testing.T) {
	var asked atomic.Int32
	template := strings.Repeat("x", 200_000)
	c := client(t, false, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked.Add(1)
		_, _ = io.WriteString(w, before+template+after)
	})
	const calls = 1000
	for range calls {
		out, err := c.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("s")})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(out.TemplateBody); got != template {
			t.Fatalf("got %d bytes", len(got))
		}
	}
	if n := asked.Load(); n != calls {
		t.Errorf("%d calls were made for %d", n, calls)
	}
}
