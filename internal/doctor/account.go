package doctor

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// invalid are the codes by which AWS refuses credentials, whatever they may do.
var invalid = []string{"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "RequestExpired"}

// credentials compares whose the caller's credentials are with the environment's account.
func (d *Doctor) credentials(ctx context.Context) Line {
	fix := "export AWS_PROFILE=<a profile of account " + d.Env.Account + ">"
	signIn := "aws sso login, or " + fix
	if d.AWS.Credentials == nil {
		return missing(signIn, "there are none")
	}
	if _, err := d.AWS.Credentials.Retrieve(ctx); err != nil {
		return missing(signIn, "there are none: %s", line(err.Error()))
	}
	who, err := sts.NewFromConfig(d.AWS).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	switch {
	case slices.Contains(invalid, code(err)):
		return missing(signIn, "AWS refuses them: %s", code(err))
	case err != nil:
		return unread(err)
	}
	if got := aws.ToString(who.Account); got != d.Env.Account {
		return missing(fix, "of account %s, and %s is in %s", got, d.Env.Name, d.Env.Account)
	}
	return ok("%s", aws.ToString(who.Arn))
}

// region compares the region of the caller's configuration with the environment's.
func (d *Doctor) region(context.Context) Line {
	switch d.Region {
	case d.Env.Region:
		return ok("%s", d.Region)
	case "":
		return ok("%s; your configuration names none, and commands take that of cdk.json", d.Env.Region)
	}
	return missing("export AWS_REGION="+d.Env.Region, "your configuration names %s, and %s is in %s", d.Region, d.Env.Name, d.Env.Region)
}

// tolerance is what a clock may differ: AWS refuses signatures that are more than five minutes off, and an answer takes a while.
const tolerance = time.Minute

// clock compares this machine's with the one of AWS, which dates every answer, refusals as well: it asks without credentials,
// since a wrong clock can be why they are refused.
func (d *Doctor) clock(ctx context.Context) Line {
	in := d.AWS.Copy()
	in.Credentials = aws.AnonymousCredentials{}
	began := time.Now()
	who, err := sts.NewFromConfig(in).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	ended := time.Now()
	var theirs time.Time
	var refused *smithyhttp.ResponseError
	switch {
	case err == nil:
		theirs, _ = awsmiddleware.GetServerTime(who.ResultMetadata)
	case errors.As(err, &refused) && refused.Response != nil:
		theirs, _ = http.ParseTime(refused.Response.Header.Get("Date"))
	default:
		return unread(err)
	}
	if theirs.IsZero() {
		return unknown("the answer of AWS has no date")
	}
	skew := time.Duration(0)
	switch { // the answer was dated between the two
	case theirs.Before(began.Truncate(time.Second)):
		skew = began.Sub(theirs)
	case theirs.After(ended):
		skew = ended.Sub(theirs)
	}
	skew = skew.Round(time.Second)
	switch {
	case skew > tolerance:
		return missing(setClock(), "this machine's clock is %s ahead of AWS", skew)
	case -skew > tolerance:
		return missing(setClock(), "this machine's clock is %s behind AWS", -skew)
	}
	return ok("within %s of AWS", max(skew.Abs(), time.Second))
}

// setClock is the command that sets this machine's clock.
func setClock() string {
	if runtime.GOOS == "darwin" {
		return "sudo sntp -sS time.apple.com"
	}
	return "sudo timedatectl set-ntp true"
}
