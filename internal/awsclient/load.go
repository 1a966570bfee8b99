// Package awsclient loads the configuration of AWS's SDK as this repository's programs need it.
package awsclient

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"k8s-plus-aws-gitops/internal/httpbody"
)

// Load is [config.LoadDefaultConfig] with a client whose requests end where their length says. Without that, an answer that is
// quicker than net/http's look for more of the request cuts its own connection ([httpbody]): one call in thirty on a busy
// machine, and what was to be made is made twice.
func Load(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, err
	}
	// Around the SDK's own client, which is there by now where AWS_CA_BUNDLE asks for one.
	if c.HTTPClient == nil {
		c.HTTPClient = awshttp.NewBuildableClient()
	}
	c.HTTPClient = exact{c.HTTPClient}
	return c, nil
}

// Patient is for what asks for much at a time, and for what a pipeline's stage hangs on: an account is throttled as a whole, so
// that others' calls count, too. It slows down, and gives up after 10 attempts, two minutes at most; the SDK's own 3 pass in seconds.
func Patient(o *config.LoadOptions) error {
	o.RetryMode, o.RetryMaxAttempts = aws.RetryModeAdaptive, 10
	return nil
}

type exact struct{ next aws.HTTPClient }

// Do implements [aws.HTTPClient]. It leaves the caller's request as it is.
func (e exact) Do(r *http.Request) (*http.Response, error) {
	sent := *r
	httpbody.Exact(&sent)
	return e.next.Do(&sent)
}
