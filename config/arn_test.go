package config

import "testing"

func TestARN(t *testing.T) {
	for _, c := range []struct{ region, service, resource, want string }{
		{"eu-west-1", "ecr", "repository/dev/ghost", "arn:aws:ecr:eu-west-1:111111111111:repository/dev/ghost"},
		{"eu-west-1", "iam", "role/dev-ghost", "arn:aws:iam::111111111111:role/dev-ghost"},
		{"us-gov-west-1", "s3", "dev-content/*", "arn:aws-us-gov:s3:::dev-content/*"},
		{"cn-north-1", "route53", "hostedzone/Z1", "arn:aws-cn:route53:::hostedzone/Z1"},
	} {
		t.Run(c.service, func(t *testing.T) {
			if got := (Environment{Account: "111111111111", Region: c.region}).ARN(c.service, c.resource); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
