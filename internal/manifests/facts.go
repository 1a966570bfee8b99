package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// Facts are the variables that Flux substitutes in an environment, by the ConfigMap of namespace
// flux-system that holds them.
type Facts map[string]map[string]string

// Names of the ConfigMaps that facts come from: the first is written by the bootstrap of the AWS half
// in every environment, the second by `gitops local up` on one machine only.
const (
	ClusterFacts = "cluster-facts"
	LocalFacts   = "local-facts"
)

// environment is what this package reads of context.gitops.environments.<name> in cdk.json.
type environment struct {
	Account    string `json:"account"`
	Region     string `json:"region"`
	Domain     string `json:"domain"`
	Branch     string `json:"branch"`
	Repository string `json:"repositoryUrl"`
	HostedZone struct {
		ID string `json:"id"`
	} `json:"hostedZone"`
	Network struct {
		CIDR string `json:"cidr"`
	} `json:"network"`
	Delivery struct {
		ImageUpdates config.ImageUpdates `json:"imageUpdates"`
	} `json:"delivery"`
}

// LoadFacts returns the facts of an environment from cdk.json. What only a deployment knows (the VPC's
// id, a zone that the deployment makes) gets a value of the right shape.
func LoadFacts(root, name string) (Facts, error) {
	found, repository, err := readEnvironment(filepath.Join(root, "cdk.json"), name)
	if err != nil {
		return nil, err
	}
	facts := Facts{ClusterFacts: {
		"ENVIRONMENT":         name,
		"DOMAIN":              found.Domain,
		"CLUSTER_NAME":        name,
		"AWS_REGION":          found.Region,
		"AWS_ACCOUNT_ID":      found.Account,
		"AWS_PARTITION":       partition(found.Region),
		"VPC_ID":              "vpc-0123456789abcdef0",
		"VPC_CIDR":            orDefault(found.Network.CIDR, "10.0.0.0/16"),
		"HOSTED_ZONE_ID":      orDefault(found.HostedZone.ID, "Z0123456789ABCDEFGHIJ"),
		"GIT_URL":             orDefault(found.Repository, repository),
		"GIT_BRANCH":          found.Branch,
		"IMAGE_REGISTRY":      found.Account + ".dkr.ecr." + found.Region + ".amazonaws.com",
		"IMAGE_UPDATE_BRANCH": imageUpdateBranch(name, found),
		"GIT_PROVIDER":        "generic",
	}}
	if name == "local" {
		facts[LocalFacts] = localFacts()
	}
	return facts, nil
}

// localFacts has the keys and the shape of what `gitops local up` writes.
func localFacts() map[string]string {
	return map[string]string{
		"PUBLIC_PORT":                 ":8443",
		"CHARTS_URL_LBC":              "http://charts.localhost/",
		"CHARTS_URL_EXTERNAL_DNS":     "http://charts.localhost/",
		"CHARTS_URL_EXTERNAL_SECRETS": "http://charts.localhost/",
		"IMAGE_REGISTRY":              "registry.localhost",
		"IMAGE_REGISTRY_PROVIDER":     "generic",
		"IMAGE_REGISTRY_INSECURE":     "true",
		"DATABASE_SSL":                `{"ca":"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}`,
	}
}

func readEnvironment(path, name string) (environment, string, error) {
	var file struct {
		Context struct {
			Gitops struct {
				Repository struct {
					Owner string `json:"owner"`
					Name  string `json:"name"`
				} `json:"repository"`
				Environments map[string]environment `json:"environments"`
			} `json:"gitops"`
		} `json:"context"`
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return environment{}, "", fmt.Errorf("%s: not found; run in the folder of the repository", path)
	}
	if err != nil {
		return environment{}, "", err
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return environment{}, "", fmt.Errorf("%s: %w", path, err)
	}
	environments := file.Context.Gitops.Environments
	found, ok := environments[name]
	if !ok {
		return environment{}, "", fmt.Errorf("%s: context.gitops.environments has no %q (it has %s); add it, or remove k8s/clusters/%s",
			path, name, strings.Join(slices.Sorted(maps.Keys(environments)), ", "), name)
	}
	repository := file.Context.Gitops.Repository
	return found, "https://github.com/" + repository.Owner + "/" + repository.Name + ".git", nil
}

// imageUpdateBranch is the branch to which Flux pushes image tags.
func imageUpdateBranch(name string, e environment) string {
	delivery := config.Delivery{ImageUpdates: e.Delivery.ImageUpdates}
	return config.Environment{Name: name, Branch: e.Branch, Delivery: delivery}.ImageUpdateBranch()
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

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
