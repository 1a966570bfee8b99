// Package config is the typed, validated view of cdk.json's context.gitops.
//
// Load reads it without jsii, applies every default and reports every problem at once, so that a
// mistake costs one line and a tenth of a second instead of a stack trace. The doc comments of the
// fields and their `default` and `example` tags are the source of docs/configuration.md.
package config

import (
	"slices"
	"strings"
)

// Config is context.gitops of cdk.json.
type Config struct {
	// The Git repository that Flux follows and that the pipelines build. Required.
	Repository Repository `json:"repository"`
	// The environments by name. A name is 1 to 20 lower case letters, digits and hyphens, starting with a letter; it names
	// the stacks (`<name>-network`, `<name>-cluster`, `<name>-ghost`), the cluster, the secrets (`/<name>/…`) and
	// `k8s/clusters/<name>`. Required, at least one.
	Environments map[string]Environment `json:"environments" example:"{\"dev\": {…}}"`
}

// Names returns the environments' names in alphabetical order.
func (c Config) Names() []string {
	names := make([]string, 0, len(c.Environments))
	for name := range c.Environments {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Repository is the Git repository that holds this project.
type Repository struct {
	// Owner of the repository on GitHub: a user or an organization. Required.
	Owner string `json:"owner" required:"name the GitHub user or organization, for example \"my-company\"" example:"\"my-company\""`
	// Name of the repository, without owner and without `.git`. Required.
	Name string `json:"name" required:"name the repository, for example \"platform\"" example:"\"platform\""`
	// ARN of the CodeConnections connection through which the pipelines of every environment in its account read the
	// repository. An environment in another account names its own (`delivery.connectionArn`). Without either an environment has no pipelines.
	ConnectionARN string `json:"connectionArn" example:"\"arn:aws:codeconnections:eu-west-1:111111111111:connection/01234567-89ab-cdef-0123-456789abcdef\""`
	// How Flux signs in to Git: `none` (a public repository), `basic` (user and password or token), `githubApp`, or `ssh`.
	// All but `none` need the secret `/<environment>/flux/git-read` in Secrets Manager before the first deployment
	// ([private repositories](guides/private.md)); no template ever holds it.
	Credentials Credentials `json:"credentials" default:"none" example:"\"githubApp\""`
	// Files of OpenPGP public keys, of which one must have signed the commit that is deployed: Plan and Flux refuse every other
	// ([signed commits](guides/signed.md)). Armored, in this repository, in a folder of `paths.deploy` such as `keys`; no two have one name.
	// Empty: no signature is asked for.
	Verify []string `json:"verify" default:"[]" example:"[\"keys/alice.asc\", \"keys/github.asc\"]"`
	// Which files start which pipeline.
	Paths Paths `json:"paths"`
}

// Paths are the files whose change starts a pipeline: patterns of CodePipeline, in which `*` stays inside a folder and `**` does not. At most 8 each.
type Paths struct {
	// Starts the deployment of all stacks: what the app is made of, the services' files, and the keys of `verify`. A test holds the default to the packages that the app imports. With `delivery.gate` or `imagesFrom` `k8s/**` starts it too, which leaves 7.
	Deploy []string `json:"deploy" default:"[\"{app-resources,config,functions,infrastructure,keys}/**\",\"internal/{awsclient,buildspec,cachedir,construct,eks,httpbody,logicalid,nag,pathfilter,podidentity,policy,retention,signature,validation}/**\",\"internal/{rdsca,services,services/assets,services/iam}/*\",\"k8s/services/*\",\"{app,kernel,main,go}.*\",\"{cdk,package*}.json\",\"buildspec.yml\"]"`
	// Starts the build of the image.
	Dockerbuild []string `json:"dockerbuild" default:"[\"dockerbuild/**\"]"`
}

// Environment is one copy of the platform: a network, a cluster, and the applications' AWS resources.
type Environment struct {
	// Name is the key under environments.
	Name string `json:"-"`
	// Repository is what the pipelines build: the one of the configuration.
	Repository Repository `json:"-"`
	// ImageSource is the environment of delivery.imagesFrom, nil where images are built; ImageCopies are those that name this one.
	// They do not name others in turn.
	ImageSource *Environment  `json:"-"`
	ImageCopies []Environment `json:"-"`
	// AWS account: 12 digits, in quotes. Required.
	Account string `json:"account" required:"give the 12 digits of the AWS account in quotes, for example \"111111111111\"" example:"\"111111111111\""`
	// AWS region. Required.
	Region string `json:"region" required:"name the AWS region, for example \"eu-west-1\"" example:"\"eu-west-1\""`
	// DNS domain of the environment; Ghost answers at `ghost.<domain>`, Flux's webhook at `flux.<domain>`. No two environments share one. Required.
	Domain string `json:"domain" required:"name the environment's DNS domain, for example \"dev.example.com\"" example:"\"dev.example.com\""`
	// Branch whose commits are deployed; Flux follows it, or with `delivery.gate` what of it is released. There is no default: an environment that follows the wrong branch is an outage. Required.
	Branch string `json:"branch" required:"name the branch that this environment follows, for example \"main\"" example:"\"main\""`
	// Address that Flux clones, when it is not the repository on GitHub: `https://…`, `ssh://…`, or `http://…localhost/…`.
	// Default: `https://github.com/<owner>/<name>.git`.
	RepositoryURL string `json:"repositoryUrl" example:"\"https://git.example.com/platform.git\""`
	// How Flux signs in at `repositoryUrl`. Default: `repository.credentials`, or `none` if the address is not encrypted.
	GitCredentials Credentials `json:"credentials" example:"\"basic\""`
	// Whether a mistake can destroy data: with `true` the cluster and the database refuse deletion, and the database, keys,
	// content and images outlive their stack; with `false` `gitops teardown` leaves nothing behind.
	DeletionProtection bool `json:"deletionProtection" default:"true"`
	// The existing Route 53 zone that holds the domain. Without it the network stack makes a public zone for the domain,
	// whose name servers you must enter in the parent zone before the certificate can be issued.
	HostedZone *HostedZone `json:"hostedZone"`
	// The VPC.
	Network Network `json:"network"`
	// The EKS cluster.
	Cluster Cluster `json:"cluster"`
	// The managed node group.
	Nodes Nodes `json:"nodes"`
	// What Ghost needs from AWS.
	Ghost Ghost `json:"ghost"`
	// The instances that services share, each made when the first service asks for it with `shared: true` ([database](resources/database.md#shared)).
	Databases Databases `json:"databases"`
	// What AWS Backup keeps of its data.
	Backup Backup `json:"backup"`
	// The pipelines that deploy the environment.
	Delivery Delivery `json:"delivery"`
	// How the environment is watched for [what differs](guides/drift.md) from the repository.
	Drift Drift `json:"drift"`
	// Where Flux tells of errors.
	Alerts Alerts `json:"alerts"`
	// What is told of its cost.
	Cost Cost `json:"cost"`
	// What a rehearsal begins with.
	Rehearsal Rehearsal `json:"rehearsal"`
	// More variables for the manifests, beside those of the bootstrap: capital letters, digits and underscores. Flux puts
	// them in the place of `${NAME}`.
	Facts map[string]string `json:"facts" default:"{}" example:"{\"CHARTS_URL_EXTERNAL_SECRETS\": \"https://charts.example.com/\"}"`
	// Tags of every resource of the environment, beside `environment`, which every resource has.
	Tags map[string]string `json:"tags" example:"{\"cost-center\": \"4711\"}"`
	// Replacements and removals that `gitops review` otherwise forbids, each of one resource and until a day.
	AllowReplacement []Allowance `json:"allowReplacement" default:"[]"`
}

// StackName is the name of one of the environment's CloudFormation stacks, for example dev-network.
func (e Environment) StackName(part string) string { return e.Name + "-" + part }

// SecretName is the agreed path of a secret, /<environment>/<app>/<thing>; it is how Kubernetes finds it.
func (e Environment) SecretName(app, thing string) string {
	return "/" + e.Name + "/" + app + "/" + thing
}

// BucketName is the agreed name of an app's bucket, unique in the world by account and region.
func (e Environment) BucketName(app, thing string) string {
	return strings.Join([]string{e.Name, app, thing, e.Account, e.Region}, "-")
}

// AssetsBucket is the agreed name of the bucket with the services' static files, and AssetsPrefix where they are in it:
// services/<service>/…
func (e Environment) AssetsBucket() string { return e.BucketName("services", "assets") }

// AssetsPrefix starts the keys in AssetsBucket.
const AssetsPrefix = "services/"

// RepositoryName is the agreed name of an app's image repository in ECR.
func (e Environment) RepositoryName(app string) string { return e.Name + "/" + app }

// Registry is the host of the account's container registry, ECR.
func (e Environment) Registry() string {
	return e.Account + ".dkr.ecr." + e.Region + "." + e.DNSSuffix()
}

// RoleName is the agreed name of the role that an app's pods assume through Pod Identity.
func (e Environment) RoleName(app string) string { return e.Name + "-" + app }

// PublisherRole is the agreed name of the role that publishes a service from a repository of its own, and PublisherSecret that
// of the secret with its token for the manifests repository. No service has a dot in its name, so no role of pods has this name.
func (e Environment) PublisherRole(service string) string { return e.Name + "-publish." + service }

// PublisherSecret is described at PublisherRole. Pods cannot read it: their secrets are below their own names.
func (e Environment) PublisherSecret(service string) string {
	return e.SecretName("gitops", "publish-"+service)
}

// DatabaseIdentifier is the agreed identifier of an app's RDS instance.
func (e Environment) DatabaseIdentifier(app string) string { return e.Name + "-" + app }

// AlertsFunctionName is the agreed name of the function that publishes the errors of Flux, and of its role. No app's name has an underscore.
func (e Environment) AlertsFunctionName() string { return e.RoleName("flux") + "_alerts" }

// DatabaseFunctionName is the agreed name of the function of an app's database, and of its role. No app's name has an underscore.
func (e Environment) DatabaseFunctionName(app string) string { return e.RoleName(app) + "_database" }

// ClusterName is the agreed name of the EKS cluster: the environment's.
func (e Environment) ClusterName() string { return e.Name }

// Partition is the AWS partition of the environment's region.
func (e Environment) Partition() string { return partition(e.Region) }

// Delivers reports whether the environment has pipelines: they need a connection to the repository.
func (e Environment) Delivers() bool { return e.Delivery.ConnectionARN != "" }

// Gated reports whether Flux applies only what the pipeline has released.
func (e Environment) Gated() bool { return e.Delivers() && e.Delivery.Gate }

// RollsBack reports whether a release that does not become healthy is taken back by itself.
func (e Environment) RollsBack() bool { return e.Gated() && e.Delivery.Rollback }

// ManifestPaths are the files that Flux applies, as a trigger names them.
const ManifestPaths = "k8s/**"

// RotationGroup is the Kubernetes group of the function that starts the pods of a namespace anew when their password changes.
func RotationGroup(namespace string) string { return "gitops:rotation:" + namespace }

// ReleasedPrefix starts the names of the branches that pipelines move and nobody pushes to.
const ReleasedPrefix = "released/"

// ReleasedBranch is the branch with the last commit that the pipeline has released.
func (e Environment) ReleasedBranch() string { return ReleasedPrefix + e.Name }

// FluxBranch is the branch that Flux applies: the released one, or the environment's own where nothing releases.
func (e Environment) FluxBranch() string {
	if e.Gated() {
		return e.ReleasedBranch()
	}
	return e.Branch
}

// Zones are the full names of the availability zones, for example eu-west-1a, in alphabetical order: the VPC numbers its
// subnets by it, so that the order in the file means nothing.
func (e Environment) Zones() []string {
	zones := make([]string, len(e.Network.Zones))
	for i, letter := range e.Network.Zones {
		zones[i] = e.Region + letter
	}
	slices.Sort(zones)
	return zones
}

// HostedZone is an existing Route 53 public zone.
type HostedZone struct {
	// Id of the zone, without `/hostedzone/`. Required.
	ID string `json:"id" required:"give the zone's id, for example \"Z0123456789ABCDEFGHIJ\"" example:"\"Z0123456789ABCDEFGHIJ\""`
	// DNS name of the zone; the environment's domain is it or lies in it. Default: the environment's domain.
	Name string `json:"name" example:"\"example.com\""`
}

// Network is the VPC: public, private and isolated subnets in each zone, an S3 gateway endpoint, and flow logs.
type Network struct {
	// Addresses of the VPC: a private IPv4 block of /16 to /19. No two environments in one account and region overlap.
	CIDR string `json:"cidr" default:"10.0.0.0/16" example:"\"10.20.0.0/16\""`
	// Letters of the availability zones, two or three. Default: three that every account has in the region, `["a", "b", "c"]` in most.
	// Required in `us-west-1`, where accounts differ.
	Zones []string `json:"zones" example:"[\"a\", \"b\"]"`
	// Ways out of the private subnets: `one` NAT gateway (cheap; its zone's failure cuts all), or `per-zone`.
	NAT NAT `json:"nat" default:"one"`
	// Interface endpoints (PrivateLink) by service name: `ec2`, `ecr.api`, `ecr.dkr`, `eks`, `eks-auth`, `elasticloadbalancing`, `kms`,
	// `lambda`, `logs`, `secretsmanager`, `sts`, `autoscaling`, `monitoring`, `ssm`, `ssmmessages`,
	// `email` (SES). Each costs per hour and zone. The S3 gateway endpoint is always there.
	Endpoints []string `json:"endpoints" default:"[]" example:"[\"ecr.api\", \"ecr.dkr\"]"`
	// Days that the flow logs of all traffic are kept; one of the periods CloudWatch Logs offers. Most of their price is
	// [their ingestion](guides/review.md#cost), however long they are kept.
	FlowLogDays int `json:"flowLogDays" default:"30" example:"90"`
}

// NAT says how private subnets reach the internet.
type NAT string

// The values of Network.NAT.
const (
	NATOne     NAT = "one"
	NATPerZone NAT = "per-zone"
)

// Cluster is the EKS control plane.
type Cluster struct {
	// Kubernetes minor version, one of the [table](#kubernetes-versions). It moves the control plane, then the add-ons, then
	// the nodes. Raise it by one at a time, as [the guide](guides/upgrade.md) tells.
	Version string `json:"version" default:"1.36"`
	// Addresses that may reach the public API endpoint. Empty: the endpoint is private, reached from the VPC only.
	PublicAccessCIDRs []string `json:"publicAccessCidrs" default:"[]" example:"[\"203.0.113.0/24\"]"`
	// Whether nodes answer Session Manager, through which people who may start sessions reach a private endpoint
	// ([private clusters](guides/private.md)). Default: `true` if the endpoint is private, else `false`.
	SessionManager *bool `json:"sessionManager" example:"false"`
	// IAM roles and users who administer the cluster (AmazonEKSClusterAdminPolicy), by ARN.
	Admins []string `json:"admins" default:"[]" example:"[\"arn:aws:iam::111111111111:role/Admin\"]"`
	// IAM roles and users who may look at what runs, without Secrets (AmazonEKSViewPolicy), and at Flux's objects, by ARN.
	Viewers []string `json:"viewers" default:"[]" example:"[\"arn:aws:iam::111111111111:role/Developer\"]"`
	// Addresses of Kubernetes Services: a private IPv4 block of /12 to /24 outside the VPC.
	ServiceCIDR string `json:"serviceCidr" default:"172.20.0.0/16"`
	// Versions of EKS add-ons by name, instead of those of the table: for a fix that the table does not have yet.
	Addons map[string]string `json:"addons" example:"{\"vpc-cni\": \"v1.22.4-eksbuild.3\"}"`
	// Days that the control plane's logs (api, audit, authenticator, controllerManager, scheduler) are kept. Most of their
	// price is [their ingestion](guides/review.md#cost).
	LogDays int `json:"logDays" default:"90" example:"365"`
}

// Nodes is the managed node group.
type Nodes struct {
	// `arm64` (Graviton) or `x86_64`. It must fit the instance types.
	Architecture Architecture `json:"architecture" default:"arm64"`
	// EC2 instance types, one or more of the architecture; with `spot` give several, so that there is a pool to choose from.
	InstanceTypes []string `json:"instanceTypes" default:"[\"m7g.large\"]" example:"[\"m7g.large\", \"m6g.large\"]"`
	// Number of nodes. Nothing scales them by itself: pods that do not fit stay pending until you raise it. Each deployment
	// that changes `min` or `max` sets the number to `min`.
	Min int `json:"min" default:"2"`
	// Largest number to which somebody may set the node group by hand, in the console or with the AWS CLI. It starts no node.
	// An update of the nodes goes above it for its duration.
	Max int `json:"max" default:"4"`
	// Kubernetes minor version of nodes and add-ons while they stay behind the control plane: the one before
	// `cluster.version`. Default: `cluster.version`.
	Version string `json:"version" example:"\"1.35\""`
	// Release of the nodes' image instead of that of the table: for a fix that the table does not have yet.
	Release string `json:"release" example:"\"1.36.4-20260930\""`
	// Spot instances: cheaper, and taken back with two minutes' notice.
	Spot bool `json:"spot" default:"false"`
	// Size of each node's encrypted gp3 volume, in GiB.
	DiskGiB int `json:"diskGiB" default:"50"`
}

// Architecture is the processor architecture of the nodes.
type Architecture string

// The values of Nodes.Architecture.
const (
	ARM64 Architecture = "arm64"
	X8664 Architecture = "x86_64"
)

// Ghost is what the blog needs from AWS.
type Ghost struct {
	// The MySQL database.
	Database Database `json:"database"`
	// Snapshot of RDS, by its identifier or ARN, of which the database is made, with a new password. It counts when the database is made, and
	// stays here as long as that is there. Default: an empty database.
	Snapshot string `json:"snapshot" example:"\"production-ghost-of-20261130-040000\""`
	// Number of images that its ECR repository keeps.
	KeepImages int `json:"keepImages" default:"20"`
	// How it sends mail: the code for staff who sign in from a new device, invitations, new passwords, links for members.
	Mail Mail `json:"mail"`
}

// Mail is how Ghost sends mail: docs/addons/ghost.md.
type Mail struct {
	// `ses` (Amazon SES, by the role of Ghost's pods: there is no password), `smtp` (any server; its host, user and password are the secret
	// `/<environment>/ghost/smtp`), or `none`, with which staff sign in by password alone and nobody can be invited.
	Transport MailTransport `json:"transport" default:"ses"`
	// The one address that mail comes from. With `ses` it lies in the environment's domain, where the DNS records are that SES asks for.
	// Default: `noreply@ghost.<domain>`, which is Ghost's own for mail to members.
	From string `json:"from" example:"\"blog@dev.example.com\""`
	// Port of the server, with `smtp`: 587 or 2525 (STARTTLS, required), or 465 (TLS). It is the only one that the network policy opens.
	Port int `json:"port" default:"587" example:"465"`
}

// MailTransport is how mail leaves.
type MailTransport string

// The values of Mail.Transport.
const (
	MailSES  MailTransport = "ses"
	MailSMTP MailTransport = "smtp"
	MailNone MailTransport = "none"
)

// Delivery is the stack with the environment's pipelines. It exists when there is a connection: the environment's or `repository.connectionArn`.
type Delivery struct {
	// ARN of a CodeConnections connection in the environment's account. Default: `repository.connectionArn`.
	ConnectionARN string `json:"connectionArn" example:"\"arn:aws:codeconnections:eu-west-1:111111111111:connection/01234567-89ab-cdef-0123-456789abcdef\""`
	// Whether Flux applies what the pipeline has released, and not what is merged: it follows the branch `released/<environment>`, which
	// the pipeline moves after tests, approval and the stacks. With `false` Flux follows the environment's branch itself, and a merge
	// is in the cluster within seconds, whatever its tests say ([releases](guides/releases.md)).
	Gate bool `json:"gate" default:"true"`
	// Whether a commit that is released and does not become healthy is taken back by itself: the last commit that was verified is
	// released again. What AWS has of the failed one stays, so a commit that must go to Kubernetes first is refused
	// ([releases](guides/releases.md#rollback)). It needs `gate`.
	Rollback bool `json:"rollback" default:"false"`
	// Whether someone must approve each deployment after reading its difference.
	Approval bool `json:"approval" default:"false"`
	// When a commit may change the environment; [change windows](guides/releases.md#change-windows). Default: at any time.
	Window *Window `json:"window"`
	// Whether pull requests towards the environment's branch get a review, a comment with what would change. One environment per branch does it.
	Review bool `json:"review" default:"true"`
	// Whether the review's pipeline also rehearses each pull request, in a build of its own ([rehearsals](guides/review.md#with-a-rehearsal)). It
	// needs `review` and the environment `local`. The local system does not run it: a rehearsal is one itself.
	Rehearsal bool `json:"rehearsal" default:"false"`
	// Targets of the Makefile that must succeed before a deployment, separated by blanks.
	Test string `json:"test" default:"check-product test-product" example:"\"check-fast\""`
	// Environment whose images this one runs: it builds none, and its pipeline copies those that `k8s/clusters/<environment>/images.yaml`
	// names from that environment's registry, by their digests ([promotion](guides/environments.md#promotion)). The other one builds its own.
	ImagesFrom string `json:"imagesFrom" example:"\"integration\""`
	// What Flux does with a new image: `commit` it to the environment's branch, `pullRequest` (push it to the branch
	// `image-updates/<environment>`, from which somebody opens a pull request), or `none`. Default: `commit`, or `none` with `imagesFrom`.
	ImageUpdates ImageUpdates `json:"imageUpdates" example:"\"pullRequest\""`
	// E-mail addresses that get every message of [alerts](guides/alerts.md). AWS asks each to confirm.
	Notify []string `json:"notify" default:"[]" example:"[\"platform@example.com\"]"`
	// Days that the logs of builds and the pipelines' events are kept.
	LogDays int `json:"logDays" default:"90" example:"365"`
}

// PrivateEndpoint reports whether the Kubernetes API is reached from the VPC only.
func (e Environment) PrivateEndpoint() bool { return len(e.Cluster.PublicAccessCIDRs) == 0 }

// UsesSessionManager reports whether nodes answer Session Manager.
func (e Environment) UsesSessionManager() bool {
	if chosen := e.Cluster.SessionManager; chosen != nil {
		return *chosen
	}
	return e.PrivateEndpoint()
}
