// Package services reads what a service is: the declarative files k8s/services/<name>.yaml, and the settings of
// the fleet in k8s/fleet/fleet.yaml. It is strict and complete: one run shows every mistake, each with its file, line
// and remedy. It knows nothing of jsii; the cdk8s app in services makes manifests of what it returns.
package services

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/config"
)

// Service is one file of k8s/services.
type Service struct {
	// Name is the file's name without .yaml. It is also the service's namespace.
	Name string
	// File is the path relative to the repository.
	File string
	// Settings are what holds in every environment.
	Settings Settings
	// Environments are the differences by environment.
	Environments map[string]Difference
	// Registration is set for a service in a repository of its own: the file then says what it may have, and its own file the rest.
	Registration

	lines map[string]int
}

// document is the content of a service file.
type document struct {
	Registration
	Settings
	// Environments are the differences, by the name of the environment in cdk.json.
	Environments map[string]Difference `yaml:"environments"`
}

// Difference is what an environment has otherwise. Lists and values replace the service's, maps are merged by key.
type Difference struct {
	// Enabled false leaves the service out of the environment.
	Enabled *bool `yaml:"enabled"`
	Settings
}

// Settings are everything that a service file can say. The JSON tags carry them to the cdk8s app.
type Settings struct {
	// Image with a tag or, better, a digest. Required.
	Image string `yaml:"image" json:"image"`
	// Port that the container listens on. Required.
	Port int `yaml:"port" json:"port"`
	// User is the numeric user and group of the container. Default 1000.
	User *int `yaml:"user" json:"user,omitempty"`
	// Replicas is the number of pods. Default 1. Excludes Autoscale.
	Replicas *int `yaml:"replicas" json:"replicas,omitempty"`
	// Autoscale changes the number of pods with their load.
	Autoscale *Autoscale `yaml:"autoscale" json:"autoscale,omitempty"`
	// Health says how a healthy container answers. Default: it accepts connections on Port.
	Health *Health `yaml:"health" json:"health,omitempty"`
	// Environment are variables. Values may use ${ENVIRONMENT}, ${DOMAIN}, ${AWS_REGION} and ${AWS_ACCOUNT_ID}.
	Environment map[string]string `yaml:"environment" json:"environment,omitempty"`
	// Secrets are variables whose values come from AWS Secrets Manager.
	Secrets map[string]Secret `yaml:"secrets" json:"secrets,omitempty"`
	// Host makes the service public at <host>.<domain of the environment>. Default: not public.
	Host string `yaml:"host" json:"host,omitempty"`
	// Resources of one pod.
	Resources *Resources `yaml:"resources" json:"resources,omitempty"`
	// Calls are the services that this one may connect to, by name.
	Calls []string `yaml:"calls" json:"calls,omitempty"`
	// Internet allows HTTPS connections to addresses outside the cluster. Default false.
	Internet *bool `yaml:"internet" json:"internet,omitempty"`
	// AWS is what the service has in AWS. Default: nothing.
	AWS *AWS `yaml:"aws" json:"aws,omitempty"`
	// Limits of a registration.
	Limits *Limits `yaml:"limits" json:"-"`
	// Uses are the kinds of aws in the registration that pods use, for a service in a repository of its own.
	Uses []string `yaml:"uses" json:"-"`
	// Migrate changes the schema of the service's data before a new version starts. Default: nothing does.
	Migrate *Migrate `yaml:"migrate" json:"migrate,omitempty"`
}

// Migrate is the command that brings a schema to a version. Every pod runs it before its container starts, so it must end well
// where the schema is at the version already, or at a later one. docs/design/20261130.migrations.md tells why.
type Migrate struct {
	// Version of the schema, from 1. It grows by one with each migration.
	Version int `yaml:"version" json:"version"`
	// Phase says whether the version of the service before this one can run with the schema.
	Phase Phase `yaml:"phase" json:"phase"`
	// Command and its arguments.
	Command []string `yaml:"command" json:"command"`
	// Image that has the command. Default: the service's.
	Image string `yaml:"image" json:"image,omitempty"`
}

// Phase of a migration: https://martinfowler.com/bliki/ParallelChange.html
type Phase string

// The phases.
const (
	// Expand adds to the schema: what the version before used is still there, so a release may go back over it.
	Expand Phase = "expand"
	// Contract takes away what no version in use needs any more. No release goes back over it.
	Contract Phase = "contract"
)

// Autoscale is a range of pods and the load that decides.
type Autoscale struct {
	// Min is the smallest number of pods, at least 1.
	Min int `yaml:"min" json:"min"`
	// Max is the largest number of pods.
	Max int `yaml:"max" json:"max"`
	// CPU is the average use, in percent of what a pod requests, that is aimed at. Default 70.
	CPU int `yaml:"cpu" json:"cpu,omitempty"`
}

// Health is the HTTP check of a container.
type Health struct {
	// Path that answers with a status below 400.
	Path string `yaml:"path" json:"path"`
	// StartSeconds is how long a container may take to answer for the first time. Default 60.
	StartSeconds int `yaml:"startSeconds" json:"startSeconds,omitempty"`
}

// Secret is one value in AWS Secrets Manager.
type Secret struct {
	// Path of the secret, below /${ENVIRONMENT}/<service>/.
	Path string `yaml:"path" json:"path"`
	// Key in the secret, which is a JSON object. Empty: the whole secret.
	Key string `yaml:"key" json:"key,omitempty"`
}

// Resources are what one pod gets.
type Resources struct {
	// CPU that is requested. Default 50m. There is no limit: a limit would slow the pod down while the node is idle.
	CPU string `yaml:"cpu" json:"cpu,omitempty"`
	// Memory that is requested and the limit. Default 128Mi.
	Memory string `yaml:"memory" json:"memory,omitempty"`
}

// Cluster is what a service needs to know of the environment that it runs in; all of it is in cdk.json.
type Cluster struct {
	// Environment is its name.
	Environment string `json:"environment"`
	// Domain that public hosts lie in.
	Domain string `json:"domain"`
	// VPCCIDR holds the addresses of the load balancer.
	VPCCIDR string `json:"vpcCidr"`
	// Region and Account of AWS.
	Region  string `json:"region"`
	Account string `json:"account"`
	// AssetsBucket is the agreed name of the bucket with the services' static files.
	AssetsBucket string `json:"-"`
	// GhostMail is the domain whose identity in SES is Ghost's; empty without one.
	GhostMail string `json:"-"`
	// Protected is the environment's deletionProtection.
	Protected bool `json:"-"`
	// DatabaseCA reports whether the certificates of the environment's databases are known.
	DatabaseCA bool `json:"-"`
}

// ClusterOf returns what services need to know of an environment.
func ClusterOf(e config.Environment) Cluster {
	c := Cluster{
		Environment: e.Name, Domain: e.Domain, VPCCIDR: e.Network.CIDR, Region: e.Region, Account: e.Account,
		AssetsBucket: e.AssetsBucket(), Protected: e.DeletionProtection, DatabaseCA: e.DatabaseCA() != "",
	}
	if e.Ghost.Mail.Transport == config.MailSES {
		_, c.GhostMail, _ = strings.Cut(e.Ghost.Mail.From, "@")
	}
	return c
}

// Fleet is all services and where they run.
type Fleet struct {
	// Services by name, in order.
	Services []Service
	// Clusters by the name of the environment, in order.
	Clusters []Cluster
	// Config is k8s/fleet/fleet.yaml.
	Config Config
}

// Config is k8s/fleet/fleet.yaml: where manifests go and how Flux follows them.
type Config struct {
	// URL of the manifests repository, as Flux in the cluster reaches it. Required.
	URL string `yaml:"url"`
	// Branch of a service, made of ${ENVIRONMENT} and ${SERVICE}. Default ${ENVIRONMENT}/${SERVICE}.
	Branch string `yaml:"branch"`
	// SecretRef is the Secret in namespace services with which Flux reads the repository. Default: a public repository.
	SecretRef string `yaml:"secretRef"`
	// Interval at which Flux looks for a change that no webhook told it of. Default 30s.
	Interval string `yaml:"interval"`
	// Propose sends a publication to a branch of its own, for a pull request against the service's branch.
	Propose bool `yaml:"propose"`
	// Publish says what brings a service's manifests to its branch. Default PublishTag.
	Publish Publish `yaml:"publish"`
	// Environments are the differences by environment.
	Environments map[string]ConfigDifference `yaml:"environments"`
}

// ConfigDifference is what an environment has otherwise.
type ConfigDifference struct {
	// URL, as in Config.
	URL string `yaml:"url"`
	// SecretRef, as in Config.
	SecretRef string `yaml:"secretRef"`
	// Interval, as in Config.
	Interval string `yaml:"interval"`
	// Propose, as in Config.
	Propose *bool `yaml:"propose"`
	// Publish, as in Config.
	Publish Publish `yaml:"publish"`
}

// Publish is what brings a service's manifests to its branch.
type Publish string

// The ways.
const (
	// PublishMerge is a merged commit, by the environment's deployment.
	PublishMerge Publish = "merge"
	// PublishTag is a tag <service>/v1.2.3, by a pipeline of its own.
	PublishTag Publish = "tag"
)

// Source is how one environment's Flux and one environment's publications reach the manifests.
type Source struct {
	URL, Branch, SecretRef string
	Interval               time.Duration
	Propose                bool
	Publish                Publish
}

// ByMerge reports whether the environment's deployment publishes.
func (s Source) ByMerge() bool { return s.Publish == PublishMerge }

// For returns what holds for one environment.
func (c Config) For(environment string) Source {
	d := c.Environments[environment]
	s := Source{URL: cmp.Or(d.URL, c.URL), Branch: cmp.Or(c.Branch, defaultBranch), SecretRef: cmp.Or(d.SecretRef, c.SecretRef), Propose: c.Propose, Publish: cmp.Or(d.Publish, c.Publish, PublishTag)}
	if d.Propose != nil {
		s.Propose = *d.Propose
	}
	s.Interval, _ = time.ParseDuration(cmp.Or(d.Interval, c.Interval, defaultInterval)) // checked by Load
	return s
}

// Ref is the branch of a service in an environment.
func (s Source) Ref(environment, service string) string {
	branch, _ := expand(s.Branch, map[string]string{"ENVIRONMENT": environment, "SERVICE": service}) // checked by Load
	return branch
}

const (
	defaultBranch   = "${ENVIRONMENT}/${SERVICE}"
	defaultInterval = "30s"
)

// Cluster returns the environment of a name.
func (f Fleet) Cluster(name string) (Cluster, bool) {
	i := slices.IndexFunc(f.Clusters, func(c Cluster) bool { return c.Environment == name })
	if i < 0 {
		return Cluster{}, false
	}
	return f.Clusters[i], true
}

// Service returns the service of a name.
func (f Fleet) Service(name string) (Service, bool) {
	i := slices.IndexFunc(f.Services, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return Service{}, false
	}
	return f.Services[i], true
}

// Here lists the services that run in an environment and are published from this repository.
func (f Fleet) Here(environment string) []Service {
	return slices.DeleteFunc(f.In(environment), Service.Registered)
}

// In lists the services that run in an environment.
func (f Fleet) In(environment string) []Service {
	var in []Service
	for _, s := range f.Services {
		if s.Enabled(environment) {
			in = append(in, s)
		}
	}
	return in
}

// Names lists the environments.
func (f Fleet) Names() []string {
	names := make([]string, len(f.Clusters))
	for i, c := range f.Clusters {
		names[i] = c.Environment
	}
	return names
}

// Enabled reports whether the service runs in an environment.
func (s Service) Enabled(environment string) bool {
	enabled := s.Environments[environment].Enabled
	return enabled == nil || *enabled
}

// Resolve merges the environment's differences into the settings, replaces variables, and adds those of what the service has
// in AWS.
func (s Service) Resolve(c Cluster) Spec {
	merged := s.Settings.merge(s.Environments[c.Environment].Settings)
	variables := c.variables()
	environment := make(map[string]string, len(merged.Environment))
	for name, value := range merged.Environment {
		environment[name], _ = expand(value, variables) // checked by Load
	}
	merged.Environment = environment
	secrets := make(map[string]Secret, len(merged.Secrets))
	for name, secret := range merged.Secrets {
		secret.Path, _ = expand(secret.Path, variables)
		secrets[name] = secret
	}
	merged.Secrets = secrets
	return Spec{Name: s.Name, Settings: merged}.withAWS(c)
}

// Spec is a service as it is in one environment.
type Spec struct {
	Name string `json:"name"`
	Settings
}

func (c Cluster) variables() map[string]string {
	return map[string]string{
		"ENVIRONMENT": c.Environment, "DOMAIN": c.Domain, "AWS_REGION": c.Region, "AWS_ACCOUNT_ID": c.Account,
	}
}

// merge returns the settings with d's in the place of its own.
func (s Settings) merge(d Settings) Settings {
	// One way to decide about the number of pods replaces the other.
	if d.Replicas != nil {
		s.Autoscale = nil
	}
	if d.Autoscale != nil {
		s.Replicas = nil
	}
	overlay(reflect.ValueOf(&s).Elem(), reflect.ValueOf(d))
	return s
}
