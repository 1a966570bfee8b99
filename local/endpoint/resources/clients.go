package resources

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

func (s *Services) acm() *acm.Client       { return acm.NewFromConfig(s.AWS) }
func (s *Services) ec2() *ec2.Client       { return ec2.NewFromConfig(s.AWS) }
func (s *Services) ecr() *ecr.Client       { return ecr.NewFromConfig(s.AWS) }
func (s *Services) eks() *eks.Client       { return eks.NewFromConfig(s.AWS) }
func (s *Services) balancers() *elb.Client { return elb.NewFromConfig(s.AWS) }
func (s *Services) iam() *iam.Client       { return iam.NewFromConfig(s.AWS) }
func (s *Services) kms() *kms.Client       { return kms.NewFromConfig(s.AWS) }
func (s *Services) logs() *cloudwatchlogs.Client {
	return cloudwatchlogs.NewFromConfig(s.AWS)
}
func (s *Services) builds() *codebuild.Client       { return codebuild.NewFromConfig(s.AWS) }
func (s *Services) pipelines() *codepipeline.Client { return codepipeline.NewFromConfig(s.AWS) }
func (s *Services) rds() *rds.Client                { return rds.NewFromConfig(s.AWS) }
func (s *Services) route53() *route53.Client        { return route53.NewFromConfig(s.AWS) }
func (s *Services) secrets() *secretsmanager.Client {
	return secretsmanager.NewFromConfig(s.AWS)
}
func (s *Services) ses() *sesv2.Client { return sesv2.NewFromConfig(s.AWS) }
func (s *Services) ssm() *ssm.Client   { return ssm.NewFromConfig(s.AWS) }

func (s *Services) queues() *sqs.Client      { return sqs.NewFromConfig(s.AWS) }
func (s *Services) topics() *sns.Client      { return sns.NewFromConfig(s.AWS) }
func (s *Services) tables() *dynamodb.Client { return dynamodb.NewFromConfig(s.AWS) }

// s3 uses path style: the endpoint is an IP address, buckets are no host names.
func (s *Services) s3() *s3.Client {
	return s3.NewFromConfig(s.AWS, func(o *s3.Options) { o.UsePathStyle = true })
}

// hasCode reports whether err is an AWS error whose code contains one of the
// given words.
func hasCode(err error, words ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, w := range words {
		if strings.Contains(api.ErrorCode(), w) {
			return true
		}
	}
	return false
}

// isGone reports whether err says that the thing does not exist, in the words
// of any service (NoSuchEntity, InvalidVpcID.NotFound, ResourceNotFoundException).
func isGone(err error) bool { return hasCode(err, "NotFound", "NoSuch", "NonExistent", "404") }

// gone turns "does not exist" into success, for deletions.
func gone(err error) error {
	if isGone(err) {
		return nil
	}
	return err
}

// existsError is what CloudFormation says of a name that another resource has, where the service's own call returns that one.
func existsError(what string) error { return fmt.Errorf("AlreadyExists: there is a %s already", what) }

// done drops the output of a call.
func done[T any](_ T, err error) error { return err }

// deleted drops the output of a deletion, which may have happened before.
func deleted[T any](_ T, err error) error { return gone(err) }

// made turns "exists already" into success where a cut-off attempt made the resource: only then a generated name is taken.
func (r *Request) made(err error, named bool, codes ...string) error {
	if (r.Resumed || !named) && hasCode(err, codes...) {
		return nil
	}
	return err
}
