// Package delivery is the stack <environment>-delivery: the pipelines that deploy the environment when a pull request is
// merged, and the review that a pull request gets before.
//
// Everything that runs may do what it needs and no more: each role's policy is written out where its project or pipeline
// is made, and CDK adds nothing to it.
package delivery

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
)

// Names of the pipelines after the environment.
const (
	deployPipeline      = config.DeployPipeline
	dockerbuildPipeline = config.ImagesPipeline
	reviewPipeline      = "review"
	programsPipeline    = "programs"
	servicesPipeline    = "services"
)

// DeliveryProps is what the pipelines of an environment need from outside.
type DeliveryProps struct {
	Env config.Environment
	// Image is the ECR repository that the image pipeline pushes to, by its agreed name.
	Image string
	// Repositories are those of the applications' images, without the environment.
	Repositories []string
	// ByMerge lets the deployment publish the services' manifests; by default a pipeline of its own does, by tags.
	ByMerge bool
	// Workflows are the repositories on GitHub, as OWNER/NAME, of the services that a workflow of their own publishes, by their names.
	Workflows map[string]string
	// Builds are those of the services that a project of this stack publishes.
	Builds map[string]string
	// VPC of the cluster, inside which its API is asked whether a release has arrived.
	VPC awsec2.IVpc
	// Workloads is the group of all pods, and Key that of the databases; a drill needs both.
	Workloads awsec2.ISecurityGroup
	Key       awskms.IKey
}

// Delivery is all pipelines of an environment.
type Delivery struct {
	constructs.Construct
	construct.Part
}

// NewDelivery makes the store and the notifications that the pipelines share, the bucket of the services' static files, and the
// pipelines, each in a file of its own. The review is made where delivery.review asks for it, with rehearsals where
// delivery.rehearsal does, what looks for drift where
// drift.schedule has a time, what tells of cost where cost asks for it, the image pipeline where images are built, and the services' where they are published by tag: a tag is
// no merged commit, and must not reach an environment past its gate. A service in a repository of its own has a role to publish by,
// or a project that does it. It needs the network, and the cluster by its name, and nothing of the others.
func NewDelivery(scope constructs.Construct, id string, props *DeliveryProps) *Delivery {
	d, env := &Delivery{}, props.Env
	construct.Init(d, scope, id)
	store := NewStore(d, "Store", &StoreProps{Env: env})
	newAssets(d, env)
	pipelines := []string{deployPipeline}
	if env.BuildsImages() {
		pipelines = append(pipelines, dockerbuildPipeline)
	}
	if !props.ByMerge {
		pipelines = append(pipelines, servicesPipeline)
	}
	told := NewNotifications(d, "Notifications", &NotificationsProps{Env: env, Key: store.Key, Pipelines: pipelines})
	NewDeployment(d, "Deployment", &DeploymentProps{Env: env, Store: store, Notifications: told, Repositories: props.Repositories, ByMerge: props.ByMerge, VPC: props.VPC})
	if env.BuildsImages() {
		NewDockerbuild(d, "Dockerbuild", &DockerbuildProps{Env: env, Store: store, Notifications: told, Image: props.Image})
	}
	if !props.ByMerge {
		NewServices(d, "Services", &ServicesProps{Env: env, Store: store, Notifications: told})
	}
	for _, service := range slices.Sorted(maps.Keys(props.Workflows)) {
		NewPublisher(d, "Publisher-"+service, &PublisherProps{Env: env, Service: service, Repository: props.Workflows[service]})
	}
	for _, service := range slices.Sorted(maps.Keys(props.Builds)) {
		NewPublisherBuild(d, "PublisherBuild-"+service, &PublisherBuildProps{Env: env, Store: store, Service: service, Repository: props.Builds[service]})
	}
	if env.BacksUp() {
		NewBackupAlarm(d, "Backups", &BackupAlarmProps{Env: env, Notifications: told})
	}
	if env.Drills() {
		NewDrill(d, "Drill", &DrillProps{Env: env, Store: store, Notifications: told, VPC: props.VPC, Workloads: props.Workloads, Key: props.Key})
	}
	NewReport(d, "Report", &ReportProps{Env: env, Store: store, Pipeline: deployPipeline})
	if env.WatchesDrift() {
		NewDrift(d, "Drift", &DriftProps{Env: env, Store: store, Notifications: told, VPC: props.VPC})
	}
	if env.Budgets() || env.FindsAnomalies() {
		NewCost(d, "Cost", &CostProps{Env: env, Notifications: told})
	}
	if env.Delivery.Review {
		review := &ReviewProps{Env: env, Store: store}
		if env.Rehearses() {
			NewPrograms(d, "Programs", &ProgramsProps{Env: env, Store: store})
			review.Rehearsal = NewRehearsal(d, "Rehearsal", &RehearsalProps{Env: env, Store: store})
		}
		NewReview(d, "Review", review)
	}
	return d
}

// newAssets makes the bucket with the services' static files. It is here and not with the cluster because only the pipeline
// of this stack writes it, from Git, and because a cluster can then be replaced while the files stay. It is encrypted by
// S3 and not by this stack's key, so that whoever reads the files, a pod or a CloudFront distribution, needs a right to
// them and none to the key of the pipelines.
func newAssets(scope constructs.Construct, env config.Environment) {
	bucket := appresources.NewBucket(scope, "Assets", &appresources.BucketProps{Env: env, App: "services", Thing: "assets"})
	bucket.AddLifecycleRule(&awss3.LifecycleRule{
		// What is left of a removed file once its versions are gone; enough of them slow down a list.
		Id: jsii.String("forget-removed"), ExpiredObjectDeleteMarker: jsii.Bool(true),
	})
}
