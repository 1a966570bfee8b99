package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/infrastructure/addons"
	"k8s-plus-aws-gitops/infrastructure/delivery"
	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/services"
)

// place is where a construct is made a second time: what is its own, and what both share.
type place struct {
	env, twin config.Environment
	name      string // an own one
	network   *infrastructure.Network
	cluster   *infrastructure.Cluster
	store     *delivery.Store
	told      *delivery.Notifications
	layer     string
	function  appresources.FunctionCode
}

// of returns the environment of the place for what is named after its environment alone.
func (p place) of() config.Environment {
	if p.name == "two" {
		return p.twin
	}
	return p.env
}

// forApps is the network as applications see it.
func (p place) forApps() appresources.Network {
	return appresources.Network{VPC: p.network.VPC, DatabaseSubnets: infrastructure.IsolatedSubnets, PrivateSubnets: infrastructure.PrivateSubnets, DatabaseFunction: p.function, Workloads: p.network.Workloads, Key: p.network.Key, Zone: p.network.Zone}
}

// project makes a project for a pipeline.
func (p place) project(scope constructs.Construct, id string) *delivery.Project {
	return delivery.NewProject(scope, id, &delivery.ProjectProps{Env: p.env, Store: p.store, Name: p.name, Description: "Builds", Buildspec: "buildspec.yml", Minutes: 10})
}

// makers make every construct of the AWS half, by package and name.
var makers = map[string]func(scope constructs.Construct, id string, p place){
	"infrastructure.NewNetwork": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewNetwork(scope, id, &infrastructure.NetworkProps{Env: p.env, Name: p.name})
	},
	"infrastructure.NewVPC": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewVPC(scope, id, &infrastructure.VPCProps{Env: p.env, Name: p.name, Key: p.network.Key})
	},
	"infrastructure.NewBackup": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewBackup(scope, id, &infrastructure.BackupProps{Env: p.of(), Key: p.network.Key})
	},
	"infrastructure.NewCluster": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewCluster(scope, id, &infrastructure.ClusterProps{Env: p.env, Name: p.name, VPC: p.network.VPC, Key: p.network.Key, KubectlLayer: p.layer})
	},
	"infrastructure.NewNodes": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewNodes(scope, id, &infrastructure.NodesProps{Env: p.env, Cluster: p.cluster.EKS, Workloads: p.network.Workloads})
	},
	"infrastructure.NewAddon": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewAddon(scope, id, &infrastructure.AddonProps{Env: p.env, Cluster: p.cluster.EKS, Name: map[string]string{"one": "coredns", "two": "metrics-server"}[p.name]})
	},
	"infrastructure.NewBootstrap": func(scope constructs.Construct, id string, p place) {
		p.env.GitCredentials = config.CredentialsBasic
		infrastructure.NewBootstrap(scope, id, &infrastructure.BootstrapProps{
			Env: p.env, Cluster: p.cluster.EKS, ClusterName: p.cluster.Name, VPC: p.network.VPC, Zone: p.network.Zone, Key: p.network.Key,
			Identities: []podidentity.Identity{{Namespace: "shop", ServiceAccount: "shop", RoleARN: "arn:aws:iam::111111111111:role/shop"}},
		})
	},
	"infrastructure.NewGitCredentials": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewGitCredentials(scope, id, &infrastructure.GitCredentialsProps{Env: p.env, Cluster: p.cluster.EKS})
	},
	"infrastructure.NewCertificate": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewCertificate(scope, id, &infrastructure.CertificateProps{Env: p.of(), Zone: p.network.Zone})
	},
	"infrastructure.NewWebhookToken": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewWebhookToken(scope, id, &infrastructure.WebhookTokenProps{Env: p.of(), Key: p.network.Key})
	},
	"infrastructure.NewAlerts": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewAlerts(scope, id, &infrastructure.AlertsProps{Env: p.of(), Key: p.network.Key, Code: p.function})
	},
	"addons.NewController": func(scope constructs.Construct, id string, p place) {
		addons.NewController(scope, id, &addons.ControllerProps{Env: p.env, Cluster: p.cluster.EKS, ClusterName: p.cluster.Name, Rights: addons.ExternalDNS(p.env, "Z1")})
	},
	"podidentity.NewRole": func(scope constructs.Construct, id string, p place) {
		podidentity.NewRole(scope, id, &podidentity.RoleProps{Env: p.env, Namespace: p.name, ServiceAccount: p.name, Name: p.env.RoleName(p.name)})
	},
	"podidentity.NewAssociation": func(scope constructs.Construct, id string, p place) {
		podidentity.NewAssociation(scope, id, &podidentity.AssociationProps{Cluster: p.cluster.EKS, Identity: podidentity.Identity{Namespace: p.name, ServiceAccount: p.name, RoleARN: "arn:aws:iam::111111111111:role/x"}})
	},
	"delivery.NewDelivery": func(scope constructs.Construct, id string, p place) {
		delivery.NewDelivery(scope, id, &delivery.DeliveryProps{Env: p.of(), Image: "dev/ghost", VPC: p.network.VPC, Workloads: p.network.Workloads, Key: p.network.Key})
	},
	"delivery.NewStore": func(scope constructs.Construct, id string, p place) {
		delivery.NewStore(scope, id, &delivery.StoreProps{Env: p.of()})
	},
	"delivery.NewNotifications": func(scope constructs.Construct, id string, p place) {
		delivery.NewNotifications(scope, id, &delivery.NotificationsProps{Env: p.of(), Key: p.store.Key, Pipelines: []string{"deploy"}})
	},
	"delivery.NewAlarm": func(scope constructs.Construct, id string, p place) {
		delivery.NewAlarm(scope, id, &delivery.AlarmProps{Env: p.env, Notifications: p.told, Pipeline: p.name})
	},
	"delivery.NewBackupAlarm": func(scope constructs.Construct, id string, p place) {
		delivery.NewBackupAlarm(scope, id, &delivery.BackupAlarmProps{Env: p.of(), Notifications: p.told})
	},
	"delivery.NewDrill": func(scope constructs.Construct, id string, p place) {
		env := p.of()
		env.Backup.Drill = &config.Drill{Schedule: "cron(0 4 ? * SUN *)", Services: []string{"ghost"}}
		delivery.NewDrill(scope, id, &delivery.DrillProps{Env: env, Store: p.store, Notifications: p.told, VPC: p.network.VPC, Workloads: p.network.Workloads, Key: p.network.Key})
	},
	"delivery.NewRole": func(scope constructs.Construct, id string, p place) {
		delivery.NewRole(scope, id, &delivery.RoleProps{Env: p.env, Service: "codebuild.amazonaws.com", PolicyName: "build", Policy: policy.Of(policy.Allow("", policy.List{"*"}, "ecr:GetAuthorizationToken"))})
	},
	"delivery.NewProject": func(scope constructs.Construct, id string, p place) { p.project(scope, id) },
	"delivery.NewPipeline": func(scope constructs.Construct, id string, p place) {
		stages := []delivery.Stage{{Name: "Build", Actions: []delivery.Action{{Name: "Build", Project: p.project(scope, id+"Build")}}}}
		delivery.NewPipeline(scope, id, &delivery.PipelineProps{
			Env: p.env, Store: p.store, Notifications: p.told, Name: p.name, Trigger: delivery.Trigger{Paths: []string{"a/**"}}, Stages: stages,
		})
	},
	"delivery.NewDeployment": func(scope constructs.Construct, id string, p place) {
		delivery.NewDeployment(scope, id, &delivery.DeploymentProps{Env: p.of(), Store: p.store, Notifications: p.told, VPC: p.network.VPC})
	},
	"delivery.NewDockerbuild": func(scope constructs.Construct, id string, p place) {
		delivery.NewDockerbuild(scope, id, &delivery.DockerbuildProps{Env: p.of(), Store: p.store, Notifications: p.told, Image: "dev/ghost"})
	},
	"delivery.NewReview": func(scope constructs.Construct, id string, p place) {
		delivery.NewReview(scope, id, &delivery.ReviewProps{Env: p.of(), Store: p.store})
	},
	"delivery.NewRehearsal": func(scope constructs.Construct, id string, p place) {
		delivery.NewRehearsal(scope, id, &delivery.RehearsalProps{Env: p.of(), Store: p.store})
	},
	"delivery.NewPrograms": func(scope constructs.Construct, id string, p place) {
		delivery.NewPrograms(scope, id, &delivery.ProgramsProps{Env: p.of(), Store: p.store})
	},
	"delivery.NewDrift": func(scope constructs.Construct, id string, p place) {
		delivery.NewDrift(scope, id, &delivery.DriftProps{Env: p.of(), Store: p.store, Notifications: p.told, VPC: p.network.VPC})
	},
	"delivery.NewCost": func(scope constructs.Construct, id string, p place) {
		env := p.of()
		env.Cost.Budget, env.Cost.Anomalies = 500, config.AnomaliesOfEnvironment
		delivery.NewCost(scope, id, &delivery.CostProps{Env: env, Notifications: p.told})
	},
	"delivery.NewReport": func(scope constructs.Construct, id string, p place) {
		delivery.NewReport(scope, id, &delivery.ReportProps{Env: p.of(), Store: p.store, Pipeline: p.name})
	},
	"delivery.NewPublisher": func(scope constructs.Construct, id string, p place) {
		delivery.NewPublisher(scope, id, &delivery.PublisherProps{Env: p.of(), Service: p.name, Repository: "my-company/" + p.name})
	},
	"delivery.NewPublisherBuild": func(scope constructs.Construct, id string, p place) {
		delivery.NewPublisherBuild(scope, id, &delivery.PublisherBuildProps{Env: p.of(), Store: p.store, Service: p.name, Repository: "my-company/" + p.name})
	},
	"delivery.NewServices": func(scope constructs.Construct, id string, p place) {
		delivery.NewServices(scope, id, &delivery.ServicesProps{Env: p.of(), Store: p.store, Notifications: p.told})
	},
	"appresources.NewGhost": func(scope constructs.Construct, id string, p place) {
		appresources.NewGhost(scope, id, &appresources.GhostProps{Env: p.of(), Network: p.forApps()})
	},
	"appresources.NewDatabase": func(scope constructs.Construct, id string, p place) {
		appresources.NewDatabase(scope, id, &appresources.DatabaseProps{Env: p.env, Network: p.forApps(), Engine: appresources.MySQL, App: p.name, Size: p.env.Ghost.Database})
	},
	"appresources.NewSharedDatabase": func(scope constructs.Construct, id string, p place) {
		appresources.NewSharedDatabase(scope, id, &appresources.SharedDatabaseProps{Env: p.of(), Network: p.forApps(), Engine: services.Postgres})
	},
	"appresources.NewDatabaseUser": func(scope constructs.Construct, id string, p place) {
		database := appresources.NewDatabase(scope, id+"Database", &appresources.DatabaseProps{Env: p.env, Network: p.forApps(), Engine: appresources.Postgres, App: p.name + "-pg", Name: p.name, Size: config.Database{InstanceClass: "db.t4g.small", StorageGiB: 20, MaxStorageGiB: 100, BackupDays: 7, LogDays: 30}})
		access := awsec2.NewSecurityGroup(scope, jsii.String(id+"Access"), &awsec2.SecurityGroupProps{Vpc: p.network.VPC})
		appresources.NewDatabaseUser(scope, id, &appresources.DatabaseUserProps{
			Env: p.env, Network: p.forApps(), App: p.name + "-pg", Name: p.name, Port: 5432, Database: database.Database, Master: database.Secret, Access: access, Days: 30, LogDays: 30,
		})
	},
	"infrastructure.NewRotationAccess": func(scope constructs.Construct, id string, p place) {
		infrastructure.NewRotationAccess(scope, id, &infrastructure.RotationAccessProps{Cluster: p.cluster.EKS, Namespace: p.name, RoleARN: "arn:aws:iam::111111111111:role/" + p.name})
	},
	"appresources.NewCache": func(scope constructs.Construct, id string, p place) {
		appresources.NewCache(scope, id, &appresources.CacheProps{Env: p.env, Network: p.forApps(), App: p.name, NodeType: "cache.t4g.micro"})
	},
	"appresources.NewBucket": func(scope constructs.Construct, id string, p place) {
		appresources.NewBucket(scope, id, &appresources.BucketProps{Env: p.env, App: "shop", Thing: p.name})
	},
	"appresources.NewQueue": func(scope constructs.Construct, id string, p place) {
		appresources.NewQueue(scope, id, &appresources.QueueProps{Env: p.env, App: p.name, FIFO: true})
	},
	"appresources.NewTopic": func(scope constructs.Construct, id string, p place) {
		appresources.NewTopic(scope, id, &appresources.TopicProps{Env: p.env, App: p.name, FIFO: true})
	},
	"appresources.NewTable": func(scope constructs.Construct, id string, p place) {
		appresources.NewTable(scope, id, &appresources.TableProps{Env: p.env, App: p.name, PartitionKey: appresources.Attribute{Name: "id"}})
	},
	"appresources.NewService": func(scope constructs.Construct, id string, p place) {
		queue := services.Queue{Subscribes: []string{p.name}}
		needs := &services.AWS{Database: &services.Database{Engine: services.Postgres}, Bucket: &services.Bucket{}, Topic: &services.Topic{}, Queue: &queue, Cache: &services.Cache{}, Mail: &services.Mail{}, Assets: &services.Assets{}}
		appresources.NewService(scope, id, &appresources.ServiceProps{Env: p.env, Network: p.forApps(), Service: services.Spec{Name: p.name, Settings: services.Settings{AWS: needs}}})
	},
	"appresources.NewImageRepository": func(scope constructs.Construct, id string, p place) {
		appresources.NewImageRepository(scope, id, &appresources.ImageRepositoryProps{Env: p.env, App: p.name, KeepImages: 3})
	},
	"appresources.NewMail": func(scope constructs.Construct, id string, p place) {
		appresources.NewMail(scope, id, &appresources.MailProps{Env: p.env, Zone: p.network.Zone, From: "me@" + p.name + ".example.com"})
	},
}

// Two of each construct fit in one scope: every part has an id below its own, and every physical name is its own.
func TestTwoOfEach(t *testing.T) {
	env := cdktest.Environment(t)
	app, layer := cdktest.App(t), cdktest.KubectlLayer(t)
	base := cdktest.NewStack(app, "base", env)
	network := infrastructure.NewNetwork(base, "Network", &infrastructure.NetworkProps{Env: env})
	store := delivery.NewStore(base, "Store", &delivery.StoreProps{Env: env})
	told := delivery.NewNotifications(base, "Notifications", &delivery.NotificationsProps{Env: env, Key: store.Key})
	places := map[string]place{}
	for id, name := range map[string]string{"One": "one", "Two": "two"} {
		cluster := infrastructure.NewCluster(base, id, &infrastructure.ClusterProps{Env: env, Name: "base-" + name, VPC: network.VPC, Key: network.Key, KubectlLayer: layer})
		places[id] = place{env: env, twin: cdktest.Twin(env), name: name, network: network, cluster: cluster, store: store, told: told, layer: layer, function: appresources.FunctionCode{Folder: cdktest.FunctionFolder(t), Hash: cdktest.FunctionHash}}
	}
	for name, maker := range makers {
		stack := cdktest.NewStack(app, strings.ReplaceAll(name, ".", "-"), env)
		for id, p := range places {
			maker(stack, id, p)
		}
	}
	dir := *app.Synth(nil).Directory()
	for name := range makers {
		t.Run(name, func(t *testing.T) {
			parsed := readTemplate(t, filepath.Join(dir, strings.ReplaceAll(name, ".", "-")+".template.json"))
			for _, f := range (step{after: map[string]template{name: parsed}}).collisions(t, nil) {
				t.Error(f)
			}
			one, two := resourcesBelow(parsed, "One"), resourcesBelow(parsed, "Two")
			if one == 0 || one != two || one+two != len(parsed.Resources) {
				t.Errorf("%d resources of the first, %d of the second, of %d: each must have its own", one, two, len(parsed.Resources))
			}
			for _, twice := range namesTwice(parsed) {
				t.Errorf("%s; take it from the props or the environment", twice)
			}
		})
	}
}

// resourcesBelow counts the resources of a construct by its id.
func resourcesBelow(parsed template, id string) int {
	n := 0
	for logical := range parsed.Resources {
		if strings.HasPrefix(logical, id) {
			n++
		}
	}
	return n
}

// ownName are the properties that name a resource, where CloudFormation's schemas do not call them its identifier.
var ownName = regexp.MustCompile(`^(Name|[A-Za-z]*(Alias|Function|LogGroup|Topic|Policy|Role|Bucket|Repository|Alarm)Name|DBInstanceIdentifier)$`)

// namesTwice lists the names that two resources of a type have.
func namesTwice(parsed template) []string {
	seen, twice := map[string]string{}, []string{}
	for id, r := range parsed.Resources {
		for property, value := range r.Properties {
			name, plain := value.(string)
			if !plain || !ownName.MatchString(property) {
				continue
			}
			key := r.Type + " " + property + " " + name
			if other, taken := seen[key]; taken {
				twice = append(twice, key+" is of "+id+" and of "+other)
			}
			seen[key] = id
		}
	}
	return twice
}

// Every construct has one shape, NewX(scope constructs.Construct, id string, props *XProps), and a row in makers.
func TestConstructsHaveOneShape(t *testing.T) {
	found := 0
	for _, folder := range []string{"infrastructure", "infrastructure/addons", "infrastructure/delivery", "app-resources", "internal/podidentity"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, declared := range file.Decls {
				f, ok := declared.(*ast.FuncDecl)
				if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "New") || strings.HasSuffix(name, "_test.go") {
					continue
				}
				found++
				maker := file.Name.Name + "." + f.Name.Name
				want := []string{"scope constructs.Construct", "id string", "props *" + strings.TrimPrefix(f.Name.Name, "New") + "Props"}
				if got := parameters(f); !slices.Equal(got, want) {
					t.Errorf("%s: %s(%s), want (%s)", name, f.Name.Name, strings.Join(got, ", "), strings.Join(want, ", "))
				}
				if makers[maker] == nil {
					t.Errorf("%s: %s has no row in makers, which makes two of each", name, maker)
				}
			}
		}
	}
	if found != len(makers) {
		t.Errorf("%d constructs, %d rows in makers", found, len(makers))
	}
}

// parameters lists a function's parameters with their types.
func parameters(f *ast.FuncDecl) []string {
	var list []string
	for _, p := range f.Type.Params.List {
		for _, name := range p.Names {
			list = append(list, name.Name+" "+types.ExprString(p.Type))
		}
	}
	return list
}

// A construct of the app is one for the CDK, too: it can be found, tagged and depended on like any other.
func TestConstructsAreConstructs(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.NewStack(cdktest.App(t), "Stack", env)
	store := delivery.NewStore(stack, "Store", &delivery.StoreProps{Env: env})
	role := podidentity.NewRole(stack, "Role", &podidentity.RoleProps{Env: env, Namespace: "a", ServiceAccount: "a"})
	role.Node().AddDependency(store)
	if path := *stack.Node().FindChild(jsii.String("Store")).Node().Path(); path != *store.Node().Path() || !*constructs.Construct_IsConstruct(store) {
		t.Errorf("got %s", path)
	}
}
