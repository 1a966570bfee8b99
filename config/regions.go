package config

import (
	"maps"
	"slices"
	"strings"
)

// regions are those in which AWS offers EKS, each with the letters of its availability zones. A region or zone that AWS
// opens later is added here.
// https://docs.aws.amazon.com/general/latest/gr/eks.html, https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
var regions = map[string]string{
	"af-south-1": "abc", "ap-east-1": "abc", "ap-east-2": "abc", "ap-northeast-1": "abcd", "ap-northeast-2": "abcd", "ap-northeast-3": "abc",
	"ap-south-1": "abc", "ap-south-2": "abc", "ap-southeast-1": "abc", "ap-southeast-2": "abc", "ap-southeast-3": "abc", "ap-southeast-4": "abc",
	"ap-southeast-5": "abc", "ap-southeast-6": "abc", "ap-southeast-7": "abc", "ca-central-1": "abcd", "ca-west-1": "abc", "cn-north-1": "abc",
	"cn-northwest-1": "abc", "eu-central-1": "abc", "eu-central-2": "abc", "eu-north-1": "abc", "eu-south-1": "abc", "eu-south-2": "abc",
	"eu-west-1": "abc", "eu-west-2": "abc", "eu-west-3": "abc", "il-central-1": "abc", "me-central-1": "abc", "me-south-1": "abc",
	"mx-central-1": "abc", "sa-east-1": "abc", "us-east-1": "abcdef", "us-east-2": "abc", "us-gov-east-1": "abc", "us-gov-west-1": "abc",
	"us-west-1": "abc", "us-west-2": "abcd",
}

// zonesOfNewAccounts are the zones to start with where the first three letters are not what a new account has. In
// us-west-1 each account has two of the three, and only AWS knows which.
var zonesOfNewAccounts = map[string][]string{
	"ap-northeast-1": {"a", "c", "d"},
	"ca-central-1":   {"a", "b", "d"},
	"us-west-1":      nil,
}

// Regions lists the regions in which AWS offers EKS, in alphabetical order.
func Regions() []string { return slices.Sorted(maps.Keys(regions)) }

// defaultZones returns the letters of three zones that every account has in the region, or none if AWS gives no such three.
func defaultZones(region string) []string {
	if zones, special := zonesOfNewAccounts[region]; special {
		return slices.Clone(zones)
	}
	letters := strings.Split(regions[region], "")
	return letters[:min(3, len(letters))]
}

// partition is the AWS partition of a region.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}
