package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure/delivery"
	"k8s-plus-aws-gitops/internal/awsdata"
)

// assume is the right to become one of the bootstrap's roles.
func assume(kind string) string { return "sts:AssumeRole cdk-*-" + kind + "-role-*" }

var useConnection = []string{"codeconnections:UseConnection", "codestar-connections:UseConnection"}

// command is a command that talks to AWS, and what for.
type command struct {
	pattern *regexp.Regexp
	reason  string
	rights  []string
}

// commands are what the commands of the buildspecs ask of AWS. A command of the AWS CLI speaks for itself and is not here.
var commands = []command{
	{regexp.MustCompile(``), "CodeBuild writes the log, for every build", []string{"logs:CreateLogStream", "logs:PutLogEvents"}},
	{regexp.MustCompile(`git-credential-helper: yes`), "a clone through the connection", useConnection},
	{regexp.MustCompile(`\bcdk deploy\b`), "it publishes files, deploys by CloudFormation, and reads what is deployed",
		[]string{assume("deploy"), assume("file-publishing"), assume("lookup")}},
	{regexp.MustCompile(`\bartifacts: files:`), "CodeBuild keeps them in the pipelines' bucket", []string{"kms:GenerateDataKey", "s3:PutObject"}},
	{regexp.MustCompile(`\bbin/gitops plan\b`), "it reads deployed templates", []string{"cloudformation:DescribeStacks", "cloudformation:GetTemplate"}},
	{regexp.MustCompile(`--pipeline\b.*--execution\b`), "its plan waits for other executions", []string{"codepipeline:ListPipelineExecutions", "codepipeline:ListActionExecutions", "codepipeline:ListRuleExecutions", "codepipeline:StopPipelineExecution"}},
	{regexp.MustCompile(`\bbin/gitops window\b`), "it looks at the clock", nil},
	{regexp.MustCompile(`\bbin/gitops" release\b`), "it reads the token for the push; where it publishes services, see publishing", []string{"secretsmanager:GetSecretValue"}},
	{regexp.MustCompile(`\bbin/gitops images copy\b`), "it pulls from one registry and pushes to another: the rights of docker pull and push", []string{"ecr:GetAuthorizationToken",
		"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"}},
	{regexp.MustCompile(`\bbin/gitops status\b.*--only kubernetes`), "it finds the cluster; what it may ask there is an access entry", []string{"eks:DescribeCluster"}},
	{regexp.MustCompile(`\bbin/gitops" snapshot\b`), "it makes none where nothing is protected; elsewhere see snapshotting", nil},
	{regexp.MustCompile(`\bbin/gitops restore\b.*--snapshots --direct --alone`), "it restores a snapshot under the key of the databases, and signs in by a password that it has given",
		[]string{"kms:CreateGrant", "kms:DescribeKey", "rds:AddTagsToResource", "rds:DeleteDBInstance", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:ModifyDBInstance", "rds:RestoreDBInstanceFromDBSnapshot"}},
	{regexp.MustCompile(`\bdocker login\b`), "the password comes from a command of the AWS CLI", nil},
	{regexp.MustCompile(`\bdocker buildx build\b.*--push`), "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html",
		[]string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"}},
	{regexp.MustCompile(`\bbin/gitops review\b.*--comment`), "it reads the token; synthesis and comparison are of two commits and ask AWS nothing",
		[]string{"secretsmanager:GetSecretValue"}},
	{regexp.MustCompile(`\bbin/gitops report "\$\{ENVIRONMENT[^}]*\}" --execution`), "it reads the token, and how an execution stands",
		[]string{"secretsmanager:GetSecretValue", "codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions"}},
	{regexp.MustCompile(`\bbin/gitops report "\$\{ENVIRONMENT[^}]*\}" --rehearsal`), "it reads the token, a build and its result, and stops older ones",
		[]string{"secretsmanager:GetSecretValue", "codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject", "codebuild:StopBuild", "s3:GetObject", "s3:GetObjectVersion", "kms:Decrypt"}},
	{regexp.MustCompile(`\baws s3api put-object\b`), "the pipelines' bucket is under a key", []string{"kms:GenerateDataKey"}},
	{regexp.MustCompile(`\bbin/gitops rehearse\b`), "its AWS is on the machine", nil},
	{regexp.MustCompile(`\bbin/gitops local\b`), "its AWS is on the machine", nil},
	{regexp.MustCompile(`\bbin/gitops service publish "`), "it reads the token; a service of a repository of its own has no static files", []string{"secretsmanager:GetSecretValue"}},
	{regexp.MustCompile(`\bbin/gitops service publish --`), "it reads the token and keeps the services' static files", publishing},
	{regexp.MustCompile(`\bbin/gitops drift\b.*--alert`), "it looks, keeps in S3 what was told, and publishes to the topic", drifting()},
}

// drifting is what a look for drift asks for, and telling of it.
func drifting() []string {
	all := []string{"s3:GetObject", "s3:ListBucket", "s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey", "sns:Publish"}
	for _, s := range delivery.DriftRights(config.Environment{}) {
		all = append(all, s.Action...)
	}
	return all
}

// publishing reads the token for manifests and keeps the services' static files.
var publishing = []string{"secretsmanager:GetSecretValue", "s3:DeleteObject", "s3:ListBucket", "s3:PutObject"}

// snapshotting keeps databases before their schemas change, where data is protected.
var snapshotting = []string{"rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBSnapshot", "rds:DescribeDBSnapshots"}

var (
	comment  = regexp.MustCompile(`(?m)^\s*#.*$`)
	script   = regexp.MustCompile(`[\w/.-]+\.(?:sh|js)\b`)
	required = regexp.MustCompile(`require\("\./([\w.-]+)"\)`)
	awsCall  = regexp.MustCompile(`\baws ([a-z0-9-]+) ([a-z][a-z0-9-]+)`)
	// In JavaScript a function aws(repository, operation, …) runs the AWS CLI for one service.
	service  = regexp.MustCompile(`spawnSync\("aws", \["([a-z0-9-]+)"`)
	scripted = regexp.MustCompile(`\baws\(repository, "([a-z][a-z0-9-]+)"`)
	talking  = regexp.MustCompile(`(?:^|[\s;|&(])((?:node_modules/\.bin/)?cdk [a-z]+|docker [a-z]+|bin/gitops [a-z]+)(?:\s|$)`)
	roleKind = regexp.MustCompile(`:role/cdk-[^-]+-([a-z-]+)-role-`)
)

// needsOf returns what the commands of a buildspec, and of the scripts that it runs, ask of AWS.
func needsOf(t *testing.T, buildspec string) []string {
	t.Helper()
	var text string
	add := func(content string) {
		text += " " + strings.Join(strings.Fields(strings.ReplaceAll(comment.ReplaceAllString(content, ""), "\\\n", " ")), " ")
	}
	read := func(name string) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		add(string(content))
	}
	if strings.Contains(buildspec, "\n") {
		add(buildspec) // part of the project
	} else {
		read(buildspec)
	}
	for _, name := range script.FindAllString(text, -1) {
		before := len(text)
		read(name)
		for _, part := range required.FindAllStringSubmatch(text[before:], -1) {
			read(path.Join(path.Dir(name), part[1]))
		}
	}
	var needs []string
	for _, c := range commands {
		if c.pattern.MatchString(text) {
			needs = append(needs, c.rights...)
		}
	}
	for _, call := range awsCall.FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(call[2], "-", "")
		if name == "getloginpassword" {
			name = "getauthorizationtoken"
		}
		needs = append(needs, canonical(t, buildspec, strings.TrimSuffix(call[1], "api")+":"+name)) // s3api is S3
	}
	if of := service.FindStringSubmatch(text); of != nil {
		for _, call := range scripted.FindAllStringSubmatch(text, -1) {
			needs = append(needs, canonical(t, buildspec, of[1]+":"+strings.ReplaceAll(call[1], "-", "")))
		}
	}
	for _, word := range talking.FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(commands[1:], func(c command) bool {
			return strings.Contains(c.pattern.String(), strings.TrimPrefix(word[1], "node_modules/.bin/"))
		}) {
			t.Errorf("%s runs %q: say in commands, build_rights_test.go, what it asks of AWS", buildspec, word[1])
		}
	}
	slices.Sort(needs)
	return slices.Compact(needs)
}

// canonical writes an action as IAM does.
func canonical(t *testing.T, where, action string) string {
	t.Helper()
	for name := range awsdata.Load().Actions {
		if strings.EqualFold(name, action) {
			return name
		}
	}
	t.Errorf("%s calls %s: no policy of the templates allows it", where, action)
	return action
}

// sources are what CodeBuild does to get the source of a project, by its type: it unpacks that of a pipeline, and clones
// another through the connection.
var sources = map[any][]string{
	"CODEPIPELINE": {"s3:GetObject", "s3:GetObjectVersion", "kms:Decrypt"},
	"GITHUB": append([]string{"codeconnections:GetConnection", "codeconnections:GetConnectionToken", "codestar-connections:GetConnection", "codestar-connections:GetConnectionToken"},
		useConnection...),
}

// inTheVPC is what CodeBuild does to put a build into a VPC.
// https://docs.aws.amazon.com/codebuild/latest/userguide/auth-and-access-control-iam-identity-based-access-control.html
var inTheVPC = []string{"ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DescribeDhcpOptions",
	"ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"}

// inVPC are these rights with their resources, the private subnets of an environment.
func inVPC(env config.Environment) []string {
	const made = "ec2:CreateNetworkInterface arn:aws:ec2:$:"
	all := []string{
		"ec2:DescribeDhcpOptions *", "ec2:DescribeNetworkInterfaces *", "ec2:DescribeSecurityGroups *", "ec2:DescribeSubnets *", "ec2:DescribeVpcs *",
		made + "network-interface/*", made + "security-group/*", "ec2:DeleteNetworkInterface arn:aws:ec2:$:network-interface/*",
		"ec2:CreateNetworkInterfacePermission arn:aws:ec2:$:network-interface/* if of codebuild.amazonaws.com in " + fmt.Sprint(len(env.Zones())) + " subnets",
	}
	for range env.Zones() {
		all = append(all, made+"subnet/PRIVATE")
	}
	return all
}

// cloned lists the projects whose source is a clone, which CodeBuild makes through the connection.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodestarConnectionSource.html
func cloned(stack template) []string {
	var projects []string
	for _, pipeline := range stack.ofType("AWS::CodePipeline::Pipeline") {
		stages := asList(pipeline.Properties["Stages"])
		if get(stages[0], "Actions", 0, "Configuration", "OutputArtifactFormat") != "CODEBUILD_CLONE_REF" {
			continue
		}
		source := get(stages[0], "Actions", 0, "OutputArtifacts", 0, "Name")
		for _, stage := range stages[1:] {
			for _, action := range asList(get(stage, "Actions")) {
				if project, ok := get(action, "Configuration", "ProjectName", "Ref").(string); ok && get(action, "InputArtifacts", 0, "Name") == source {
					projects = append(projects, project)
				}
			}
		}
	}
	return projects
}

// asking lists the projects that ask CodePipeline of their execution: it gives them its id.
func asking(stack template) []string {
	var projects []string
	for _, pipeline := range stack.ofType("AWS::CodePipeline::Pipeline") {
		for _, stage := range asList(pipeline.Properties["Stages"]) {
			for _, action := range asList(get(stage, "Actions")) {
				variables, _ := get(action, "Configuration", "EnvironmentVariables").(string)
				if project, ok := get(action, "Configuration", "ProjectName", "Ref").(string); ok && strings.Contains(variables, `"PIPELINE_EXECUTION_ID"`) {
					projects = append(projects, project)
				}
			}
		}
	}
	return projects
}

// rightsWithout are the rights in statements without their resources, apart from roles that may be assumed.
func rightsWithout(t *testing.T, statements []placed) []string {
	t.Helper()
	var all []string
	for _, s := range statements {
		for _, action := range s.Action {
			if action != "sts:AssumeRole" {
				all = append(all, action)
				continue
			}
			for _, role := range s.Resource {
				kind := roleKind.FindStringSubmatch(role)
				if kind == nil {
					t.Errorf("%s may assume %s, which is no role of the bootstrap", s.where, role)
					continue
				}
				all = append(all, assume(kind[1]))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The role of a build may do what the commands of its buildspec ask for: nothing is missing, nothing is never used, and
// above all no role is assumable that no command assumes.
func TestBuildRights(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		statements := statementsIn(t, env.StackName("delivery"), stack)
		for id, project := range stack.ofType("AWS::CodeBuild::Project") {
			buildspec, _ := get(project.Properties, "Source", "BuildSpec").(string)
			role := fmt.Sprint(get(project.Properties, "ServiceRole", "Fn::GetAtt", 0))
			needs := append(needsOf(t, buildspec), sources[get(project.Properties, "Source", "Type")]...)
			if slices.Contains(cloned(stack), id) {
				needs = append(needs, useConnection...)
			}
			if slices.Contains(asking(stack), id) {
				needs = append(needs, "codepipeline:GetPipelineExecution")
			}
			if strings.HasSuffix(buildspec, "/release.yml") && fleetOf(t).For(env.Name).ByMerge() {
				needs = append(needs, publishing...)
				if env.DeletionProtection {
					needs = append(needs, snapshotting...)
				}
			}
			if strings.HasSuffix(buildspec, "/drift.yml") && env.Drift.Repair {
				needs = append(needs, "cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet")
			}
			if project.Properties["VpcConfig"] != nil {
				needs = append(needs, inTheVPC...)
			}
			slices.Sort(needs)
			if diff := cmp.Diff(slices.Compact(needs), rightsWithout(t, statements[role])); diff != "" {
				t.Errorf("%s %s: role %s, %s: rights (-needed by %s +granted, infrastructure/delivery):\n%s", env.Name, id, role, project.Properties["Name"], buildspec, diff)
			}
		}
	}
}

// providers are what the actions of a pipeline ask of its role.
var providers = map[string][]string{
	"CodeStarSourceConnection": useConnection,
	"CodeBuild":                {"codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"},
	"Manual":                   {"sns:Publish"},
}

// store is what every pipeline does with its artifacts.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html
var store = []string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectAcl", "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning",
	"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}

// The role of a pipeline may do what its actions ask for.
func TestPipelineRights(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		statements := statementsIn(t, env.StackName("delivery"), stack)
		for id, pipeline := range stack.ofType("AWS::CodePipeline::Pipeline") {
			needs := slices.Clone(store)
			for _, stage := range asList(pipeline.Properties["Stages"]) {
				for _, action := range asList(get(stage, "Actions")) {
					provider, _ := get(action, "ActionTypeId", "Provider").(string)
					rights, known := providers[provider]
					if !known {
						t.Errorf("%s %s: provider %q: say in providers, build_rights_test.go, what it asks of AWS", env.Name, id, provider)
					}
					needs = append(needs, rights...)
				}
			}
			slices.Sort(needs)
			role := fmt.Sprint(get(pipeline.Properties, "RoleArn", "Fn::GetAtt", 0))
			if diff := cmp.Diff(slices.Compact(needs), rightsWithout(t, statements[role])); diff != "" {
				t.Errorf("%s %s: role %s: rights (-needed by its actions +granted, infrastructure/delivery):\n%s", env.Name, id, role, diff)
			}
		}
	}
}

// The CDK publishes files for these stacks and no images, so that no build may become image-publishing.
func TestNoImagesToPublish(t *testing.T) {
	for stack, parsed := range sampleApp(t) {
		if strings.Contains(string(parsed.raw), ".dkr.ecr.") && strings.Contains(string(parsed.raw), "container-assets") {
			t.Errorf("%s uses an image that the CDK builds: let the deploying build assume the role image-publishing, infrastructure/delivery", stack)
		}
	}
}
