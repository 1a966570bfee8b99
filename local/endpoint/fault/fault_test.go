package fault

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

var scope = regexp.MustCompile(`/([a-z0-9-]+)/aws4_request`)

// switched serves nothing but faults; beyond it an answer of EKS is served, which has no clusters. passed counts what came there.
func switched(t *testing.T) (file string, config aws.Config, passed *atomic.Int32) {
	t.Helper()
	file, passed = filepath.Join(t.TempDir(), "faults.json"), &atomic.Int32{}
	server := httptest.NewServer(&Switch{
		File: file, Log: slog.New(slog.DiscardHandler),
		Service: func(r *http.Request) string {
			if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
				return m[1]
			}
			return ""
		},
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			passed.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"clusters": []}`))
		}),
	})
	t.Cleanup(server.Close)
	return file, aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
			})
		},
	}, passed
}

// Every service's SDK reads the error by the name that AWS's documentation has for it, and has tried again.
func TestErrorsAreThoseOfAWS(t *testing.T) {
	file, c, passed := switched(t)
	calls := map[string]func(context.Context) error{
		"cloudformation": func(ctx context.Context) error {
			_, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, nil)
			return err
		},
		"codepipeline": func(ctx context.Context) error {
			_, err := codepipeline.NewFromConfig(c).ListPipelines(ctx, nil)
			return err
		},
		"ec2": func(ctx context.Context) error { _, err := ec2.NewFromConfig(c).DescribeVpcs(ctx, nil); return err },
		"eks": func(ctx context.Context) error { _, err := eks.NewFromConfig(c).ListClusters(ctx, nil); return err },
		"route53": func(ctx context.Context) error {
			_, err := route53.NewFromConfig(c).ListHostedZones(ctx, nil)
			return err
		},
		"s3": func(ctx context.Context) error { _, err := s3.NewFromConfig(c).ListBuckets(ctx, nil); return err },
	}
	for service, want := range map[string]map[Error]string{
		"cloudformation": {Throttling: "Throttling", Internal: "InternalFailure", Unavailable: "ServiceUnavailable"},
		"codepipeline":   {Throttling: "ThrottlingException", Internal: "InternalFailure", Unavailable: "ServiceUnavailable"},
		"ec2":            {Throttling: "RequestLimitExceeded", Internal: "InternalError", Unavailable: "Unavailable"},
		"eks":            {Throttling: "ThrottlingException", Internal: "InternalFailure", Unavailable: "ServiceUnavailable"},
		"route53":        {Throttling: "Throttling", Internal: "InternalFailure", Unavailable: "ServiceUnavailable"},
		"s3":             {Throttling: "SlowDown", Internal: "InternalError", Unavailable: "ServiceUnavailable"},
	} {
		for kind, code := range want {
			t.Run(service+" "+string(kind), func(t *testing.T) {
				if err := Set(file, Faults{Errors: []Rule{{Service: service, Error: kind}}}); err != nil {
					t.Fatal(err)
				}
				err := calls[service](t.Context())
				var api smithy.APIError
				if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() == "" {
					t.Errorf("got %v, want %s", err, code)
				}
				if err == nil || !strings.Contains(err.Error(), "exceeded maximum number of attempts, 3") {
					t.Errorf("not tried again: %v", err)
				}
			})
		}
	}
	if n := passed.Load(); n > 0 {
		t.Errorf("%d requests passed", n)
	}
}

// A fault is of its service alone, is not for the laboratory, and is over when the file is gone.
func TestWhatIsHit(t *testing.T) {
	file, c, _ := switched(t)
	list := func(c aws.Config) error {
		_, err := eks.NewFromConfig(c).ListClusters(t.Context(), nil)
		return err
	}
	laboratory := c.Copy()
	laboratory.AppID = Exempt
	for name, x := range map[string]struct {
		faults Faults
		c      aws.Config
		hit    bool
	}{
		"none":            {Faults{}, c, false},
		"another service": {Faults{Errors: []Rule{{"ec2", Internal}}}, c, false},
		"this one":        {Faults{Errors: []Rule{{"ec2", Internal}, {"eks", Throttling}}}, c, true},
		"all":             {Faults{Errors: []Rule{{"*", Unavailable}}}, c, true},
		"the laboratory":  {Faults{Errors: []Rule{{"*", Unavailable}}, Ahead: "1h"}, laboratory, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Set(file, x.faults); err != nil {
				t.Fatal(err)
			}
			if err := list(x.c); (err != nil) != x.hit {
				t.Errorf("got %v, want an error: %t", err, x.hit)
			}
		})
	}
	if err := errors.Join(Set(file, Faults{}), Set(file, Faults{})); err != nil {
		t.Errorf("off twice: %v", err)
	}
}

// An SDK of a machine whose clock is wrong is refused at first, and corrects itself by the answer.
func TestClock(t *testing.T) {
	file, c, passed := switched(t)
	for _, ahead := range []string{"20m", "-3h", "1m"} {
		passed.Store(0)
		if err := Set(file, Faults{Ahead: ahead}); err != nil {
			t.Fatal(err)
		}
		if _, err := eks.NewFromConfig(c).ListClusters(t.Context(), nil); err != nil || passed.Load() != 1 {
			t.Errorf("%s ahead: %v, %d requests passed", ahead, err, passed.Load())
		}
		once := c.Copy()
		once.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
		_, err := eks.NewFromConfig(once).ListClusters(t.Context(), nil)
		var api smithy.APIError
		if small := ahead == "1m"; small != (err == nil) || !small && (!errors.As(err, &api) || api.ErrorCode() != "InvalidSignatureException") {
			t.Errorf("%s ahead, without another attempt: %v", ahead, err)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for want, f := range map[string]Faults{
		`errors[0].error must be throttling, internal or unavailable, got "500"`: {Errors: []Rule{{"ec2", "500"}}},
		"errors[1].service must be the name of a service, or *":                  {Errors: []Rule{{"ec2", Internal}, {"", Internal}}},
		`ahead must be a duration as 20m, got "soon"`:                            {Ahead: "soon"},
	} {
		if err := Set(filepath.Join(t.TempDir(), "faults.json"), f); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
