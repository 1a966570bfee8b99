package delivery

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/buildspec"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
)

// Build images of CodeBuild. The first has Go 1.26 and Node.js 24; CDK has no constant for it yet. The second only
// builds the image for arm64, on such a machine: emulation would take an hour. The third runs the local system, which takes
// its database from the packages of Debian and Ubuntu; CodeBuild has it for x86 alone.
const (
	x86Image    = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
	armImage    = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
	ubuntuImage = "aws/codebuild/standard:7.0"
)

// Buildspecs of the projects, from the root of the repository.
const (
	deployBuildspec  = "buildspec.yml"
	testBuildspec    = "infrastructure/delivery/buildspecs/test.yml"
	planBuildspec    = "infrastructure/delivery/buildspecs/plan.yml"
	windowBuildspec  = "infrastructure/delivery/buildspecs/window.yml"
	releaseBuildspec = "infrastructure/delivery/buildspecs/release.yml"
	imagesBuildspec  = "infrastructure/delivery/buildspecs/images.yml"
	verifyBuildspec  = "infrastructure/delivery/buildspecs/verify.yml"
	reviewBuildspec  = "infrastructure/delivery/buildspecs/review.yml"
	driftBuildspec   = "infrastructure/delivery/buildspecs/drift.yml"
	reportBuildspec  = "infrastructure/delivery/buildspecs/report.yml"
	imageBuildspec   = "dockerbuild/buildspec.yml"
	publishBuildspec = "dockerbuild/publish.yml"
	serviceBuildspec = "infrastructure/delivery/buildspecs/services.yml"
	ownBuildspec     = "infrastructure/delivery/buildspecs/own.yml"
	drillBuildspec   = "infrastructure/delivery/buildspecs/drill.yml"

	rehearsalBuildspec = "infrastructure/delivery/buildspecs/rehearsal.yml"
	programsBuildspec  = "infrastructure/delivery/buildspecs/programs.yml"
	rehearsedBuildspec = "infrastructure/delivery/buildspecs/rehearsed.yml"
)

// Check reads the buildspecs below the root of the repository that the environments' pipelines run, and counts the patterns of
// their triggers; byMerge says which of them publish services. What is broken would show when the next merge is deployed.
func Check(root string, environments []config.Environment, byMerge func(environment string) bool) error {
	if !slices.ContainsFunc(environments, config.Environment.Delivers) {
		return nil
	}
	var problems []error
	for _, name := range []string{
		deployBuildspec, testBuildspec, planBuildspec, windowBuildspec, releaseBuildspec, imagesBuildspec, verifyBuildspec, driftBuildspec, reviewBuildspec,
		reportBuildspec, imageBuildspec, publishBuildspec, serviceBuildspec, ownBuildspec, drillBuildspec, rehearsalBuildspec, programsBuildspec, rehearsedBuildspec,
	} {
		if _, err := buildspec.Load(root, name); err != nil {
			problems = append(problems, err)
		}
	}
	for _, env := range environments {
		if paths := deployPaths(env, byMerge(env.Name)); env.Delivers() && len(paths) > config.MaxPatterns {
			problems = append(problems, fmt.Errorf("cdk.json: gitops.repository.paths.deploy: must have at most %d patterns, got %d: publish: merge of k8s/fleet/fleet.yaml adds %s in %s; merge some with *, ** or a common folder",
				config.MaxPatterns-1, len(paths)-1, servicePaths, env.Name))
			break
		}
	}
	return errors.Join(problems...)
}

// ProjectProps is what distinguishes the CodeBuild projects.
type ProjectProps struct {
	Env   config.Environment
	Store *Store
	// Name of the project after the environment, for example test for dev-test. Its log group is
	// /<environment>/delivery/<name>, with events for delivery.logDays.
	Name        string
	Description string
	// Buildspec is a file of the source, by its path from the root; Check must read it, too.
	Buildspec string
	// Rights are what the build may do beside writing its own log and reading the source.
	Rights []policy.Statement
	// RoleName is the agreed name of its role, where another account names it; a generated one by default.
	RoleName string
	// Size of the machine; small by default.
	Size awscodebuild.ComputeType
	// Minutes after which the build is stopped, at least 5. It may wait 8 hours for its start.
	Minutes int
	// Arm builds on a machine for arm64 instead of x86.
	Arm bool
	// Laboratory is set where a local system runs. Nothing is kept on its machine for the next build: that would be a cache which a
	// pull request's code can write.
	Laboratory bool
	// Docker is set where `docker build` runs, which CodeBuild allows to privileged containers only.
	Docker bool
	// Variables of the build, beside ENVIRONMENT.
	Variables map[string]string
	// VPC in whose private subnets the build runs, reached by nothing; outside of any VPC by default.
	VPC awsec2.IVpc
	// Joins is a group of the VPC that the build is in beside its own, and what admits that group admits the build.
	Joins awsec2.ISecurityGroup
	// Branch of the repository that the build clones, where no pipeline hands it a source; by default one does.
	Branch string
}

// Project is a CodeBuild project.
type Project struct {
	constructs.Construct
	construct.Part
	// Name is the agreed name, with the environment.
	Name    string
	Project awscodebuild.PipelineProject
}

// NewProject makes a project with its role and log group.
func NewProject(scope constructs.Construct, id string, props *ProjectProps) *Project {
	p, env := &Project{Name: props.Env.StackName(props.Name)}, props.Env
	construct.Init(p, scope, id)
	logGroup := "/" + env.Name + "/delivery/" + props.Name
	logs := retention.Of(env).LogGroup(p, "Logs", logGroup, env.Delivery.LogDays, props.Store.Key)
	// A switch of the configuration takes a project away and brings it back: its group must not be in the way.
	logs.ApplyRemovalPolicy(retention.Of(env).Derived())
	image := awscodebuild.LinuxBuildImage_FromCodeBuildImageId(jsii.String(x86Image))
	if props.Arm {
		image = awscodebuild.LinuxArmBuildImage_FromCodeBuildImageId(jsii.String(armImage))
	}
	if props.Laboratory {
		image = awscodebuild.LinuxBuildImage_FromCodeBuildImageId(jsii.String(ubuntuImage))
	}
	// On the build machine, while it lives: a cache in S3 would be gigabytes that every build could poison for the next. In a VPC
	// CodeBuild has none: https://docs.aws.amazon.com/codebuild/latest/userguide/caching-local.html
	cache := awscodebuild.Cache_Local(awscodebuild.LocalCacheMode_CUSTOM)
	if props.Laboratory || props.VPC != nil {
		cache = awscodebuild.Cache_None()
	}
	size := props.Size
	if size == "" {
		size = awscodebuild.ComputeType_SMALL
	}
	variables := map[string]*awscodebuild.BuildEnvironmentVariable{"ENVIRONMENT": {Value: env.Name}}
	for name, value := range props.Variables {
		variables[name] = &awscodebuild.BuildEnvironmentVariable{Value: value}
	}
	given := &awscodebuild.PipelineProjectProps{
		ProjectName: jsii.String(p.Name),
		Description: jsii.String(props.Description),
		BuildSpec:   awscodebuild.BuildSpec_FromSourceFilename(jsii.String(props.Buildspec)),
		Role: NewRole(p, "Role", &RoleProps{
			Env: env, Service: "codebuild.amazonaws.com", Description: props.Description + " of " + env.Name,
			Name: props.RoleName, PolicyName: props.Name, Policy: buildPolicy(props, logGroup),
		}),
		EncryptionKey: props.Store.Key,
		Environment: &awscodebuild.BuildEnvironment{
			BuildImage: image, ComputeType: size, Privileged: jsii.Bool(props.Docker), EnvironmentVariables: &variables,
		},
		Cache:                       cache,
		GrantReportGroupPermissions: jsii.Bool(false),
		Logging:                     &awscodebuild.LoggingOptions{CloudWatch: &awscodebuild.CloudWatchLoggingOptions{LogGroup: logs}},
		Timeout:                     awscdk.Duration_Minutes(jsii.Number(props.Minutes)),
		QueuedTimeout:               awscdk.Duration_Hours(jsii.Number(8)),
	}
	if props.VPC != nil {
		group := awsec2.NewSecurityGroup(p, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
			Vpc: props.VPC, Description: jsii.String("Build " + p.Name), AllowAllOutbound: jsii.Bool(true), // the APIs of AWS and the cluster's
		})
		groups := []awsec2.ISecurityGroup{group}
		if props.Joins != nil {
			groups = append(groups, props.Joins)
		}
		given.Vpc, given.SubnetSelection, given.SecurityGroups = props.VPC, subnets(), &groups
	}
	p.Project = awscodebuild.NewPipelineProject(p, jsii.String("Project"), given)
	// In a VPC the CDK makes a policy beside the role's own, which the role refuses and no template has.
	p.Project.Node().TryRemoveChild(jsii.String("PolicyDocument"))
	if props.Branch != "" {
		p.clones(props)
	}
	return p
}

// clones gives the project the newest commit of its branch as source. It is done at the L1: the L2's source on GitHub knows
// no connection.
func (p *Project) clones(props *ProjectProps) {
	project, _ := p.Project.Node().DefaultChild().(awscodebuild.CfnProject)
	project.SetSource(&awscodebuild.CfnProject_SourceProperty{
		Type: jsii.String("GITHUB"), Location: jsii.String(props.Env.Repository.URL()), BuildSpec: jsii.String(props.Buildspec),
		Auth:          &awscodebuild.CfnProject_SourceAuthProperty{Type: jsii.String("CODECONNECTIONS"), Resource: jsii.String(props.Env.Delivery.ConnectionARN)},
		GitCloneDepth: jsii.Number(1),
	})
	project.SetSourceVersion(jsii.String(props.Branch))
	project.SetArtifacts(&awscodebuild.CfnProject_ArtifactsProperty{Type: jsii.String("NO_ARTIFACTS")})
}

// subnets are those in which builds run.
func subnets() *awsec2.SubnetSelection {
	return &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS}
}

// interfaceRights let CodeBuild put a build into the VPC: it makes a network interface and gives it to its machine. The
// descriptions have no resource level.
// https://docs.aws.amazon.com/codebuild/latest/userguide/auth-and-access-control-iam-identity-based-access-control.html#customer-managed-policies-example-create-vpc-network-interface
func interfaceRights(env config.Environment, vpc awsec2.IVpc) []policy.Statement {
	var arns policy.List
	for _, id := range *vpc.SelectSubnets(subnets()).SubnetIds {
		arns = append(arns, env.ARN("ec2", "subnet/"+*id))
	}
	interfaces := policy.List{env.ARN("ec2", "network-interface/*")}
	return []policy.Statement{
		policy.Allow("FindTheNetwork", policy.List{"*"}, "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
		policy.Allow("MakeItsInterface", slices.Concat(interfaces, arns, policy.List{env.ARN("ec2", "security-group/*")}), "ec2:CreateNetworkInterface"),
		policy.Allow("RemoveItsInterface", interfaces, "ec2:DeleteNetworkInterface"),
		policy.Allow("GiveItsInterface", interfaces, "ec2:CreateNetworkInterfacePermission").If(map[string]any{"StringEquals": map[string]any{
			"ec2:AuthorizedService": "codebuild.amazonaws.com", "ec2:Subnet": arns,
		}}),
	}
}

// buildPolicy is what every build does, write its own log and read the source, and what this one does.
func buildPolicy(props *ProjectProps, logGroup string) policy.Document {
	rights := props.Rights
	if props.VPC != nil {
		rights = append(interfaceRights(props.Env, props.VPC), rights...)
	}
	source := []policy.Statement{
		policy.Allow("ReadTheSource", policy.List{*props.Store.Artifacts.BucketArn() + "/*"}, "s3:GetObject", "s3:GetObjectVersion"),
		policy.Allow("DecryptTheSource", policy.List{*props.Store.Key.KeyArn()}, "kms:Decrypt"),
	}
	if props.Branch != "" {
		source = []policy.Statement{policy.Allow("CloneTheBranch", policy.List{props.Env.Delivery.ConnectionARN}, takeToken...)}
	}
	log := policy.Allow("WriteItsLog", policy.List{props.Env.ARN("logs", "log-group:"+logGroup+":*")}, "logs:CreateLogStream", "logs:PutLogEvents")
	return policy.Of(slices.Concat([]policy.Statement{log}, source, rights)...)
}

// cloneRight lets a build clone the repository with its history, through the connection.
func cloneRight(env config.Environment) policy.Statement {
	return policy.Allow("CloneTheRepository", policy.List{env.Delivery.ConnectionARN}, useConnection...)
}

// tokenRight lets a build read a token, whose secret is /<environment>/gitops/<thing>. Secrets Manager appends six
// characters to a secret's name.
func tokenRight(env config.Environment, sid, thing string) policy.Statement {
	return policy.Allow(sid, policy.List{env.ARN("secretsmanager", "secret:"+env.SecretName("gitops", thing)+"-??????")}, "secretsmanager:GetSecretValue")
}
