package config

import "strings"

// ARN returns the ARN of a resource in the environment's account and region, for example of "repository/dev/ghost" in "ecr".
// IAM has no regions; buckets of S3 and zones of Route 53 are named without an account, too.
func (e Environment) ARN(service, resource string) string {
	region, account := e.Region, e.Account
	switch service {
	case "iam":
		region = ""
	case "s3", "route53":
		region, account = "", ""
	}
	return strings.Join([]string{"arn", e.Partition(), service, region, account, resource}, ":")
}

// DNSSuffix is the domain of the partition's endpoints.
func (e Environment) DNSSuffix() string {
	if e.Partition() == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
