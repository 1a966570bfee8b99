package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
)

// second is another value of a key.
type second struct {
	// edits are the value, and what must change with it. Empty: the key alone becomes value.
	value any
	with  map[string]any
	// reasons for findings that are meant: prefix of the finding, and why.
	reasons map[string]string
	// alone is true for a change whose findings would hide those of others.
	alone bool
	// never says why the key of an environment that exists does not change.
	never string
}

// forever is why the address blocks stay.
const forever = "what stands on it cannot move to other addresses; the review forbids it (docs/guides/upgrade.md)"

// nodesBehind is the Kubernetes version before the newest.
var nodesBehind = config.KubernetesVersions()[len(config.KubernetesVersions())-2]

// twoStepValues has a second value for each key of the configuration that is no list.
var twoStepValues = map[string]second{
	"account":                      {never: "another account is another environment: nothing of it is there"},
	"region":                       {never: "another region is another environment: nothing of it is there"},
	"domain":                       {value: "www.example.com", reasons: map[string]string{"production-cluster/Certificate": certificateReason, "production-ghost/GhostMailIdentity": mailReason, "production-billing/ServiceMailIdentity": mailReason}},
	"branch":                       {value: "release"},
	"repositoryUrl":                {value: "https://git.example.com/platform.git"},
	"credentials":                  {value: "basic"},
	"facts":                        {value: map[string]any{"CHARTS_URL_EXTERNAL_SECRETS": "https://charts.example.com/"}},
	"cluster.sessionManager":       {value: true},
	"deletionProtection":           {value: false, with: map[string]any{"backup.copyTo": nil}}, // which needs backups
	"hostedZone.id":                {value: "Z0ANOTHER", reasons: map[string]string{"production-cluster/Certificate": certificateReason, "production-ghost/GhostMailDKIM": recordReason, "production-billing/ServiceMailDKIM": recordReason}},
	"hostedZone.name":              {value: "www.example.com", with: map[string]any{"domain": "www.example.com"}, reasons: map[string]string{"production-cluster/Certificate": certificateReason, "production-ghost/GhostMailIdentity": mailReason, "production-billing/ServiceMailIdentity": mailReason}},
	"network.cidr":                 {value: "10.99.0.0/16", alone: true, reasons: map[string]string{"production-network/NetworkVPC": forever}},
	"network.nat":                  {value: "one"},
	"network.flowLogDays":          {value: 90},
	"cluster.version":              {never: "TestTwoStepVersion raises it"},
	"cluster.addons":               {value: map[string]any{"vpc-cni": "v1.22.5-eksbuild.1"}},
	"cluster.serviceCidr":          {value: "172.24.0.0/16", alone: true, reasons: map[string]string{"production-cluster/Cluster": forever}},
	"cluster.logDays":              {value: 180},
	"nodes.architecture":           {value: "x86_64", with: map[string]any{"nodes.instanceTypes": []any{"m7i.large"}}, reasons: map[string]string{"production-cluster/Nodes": nodesReason}},
	"nodes.min":                    {value: 4},
	"nodes.max":                    {value: 12},
	"nodes.spot":                   {value: true, reasons: map[string]string{"production-cluster/Nodes": nodesReason}},
	"nodes.diskGiB":                {value: 80},
	"nodes.version":                {value: nodesBehind},
	"nodes.release":                {value: nodesBehind + ".99-20991231", with: map[string]any{"nodes.version": nodesBehind}},
	"ghost.snapshot":               {never: "another snapshot is another instance, which would need the name of the one that is there; the review forbids it"},
	"ghost.keepImages":             {value: 30},
	"ghost.database.instanceClass": {value: "db.m7g.xlarge"},
	"ghost.database.multiAz":       {value: false},
	"ghost.database.storageGiB":    {value: 100},
	"ghost.database.maxStorageGiB": {value: 1000},
	"ghost.database.backupDays":    {value: 14},
	"ghost.database.logDays":       {value: 90},
	"ghost.database.rotationDays":  {value: 90},
	"ghost.mail.transport":         {value: "smtp", with: map[string]any{"ghost.mail.from": "blog@example.net", "ghost.mail.port": 465}, alone: true},
	"ghost.mail.from":              {value: "blog@www.example.com", reasons: map[string]string{"production-ghost/GhostMailIdentity": mailReason}},
	"ghost.mail.port":              {never: "it goes with the transport smtp, whose row changes it"},
	"backup.enabled":               {value: false, with: map[string]any{"backup.copyTo": nil}},
	"backup.days":                  {never: "it goes with the row of backup.copyTo: together with deletionProtection there are no backups"},
	"backup.copyTo":                {value: "eu-west-3", with: map[string]any{"backup.days": 30}, alone: true},
	"backup.drill.schedule":        {value: "cron(30 2 1 * ? *)"},
	"delivery.connectionArn":       {value: "arn:aws:codeconnections:eu-west-1:333333333333:connection/11111111-1111-1111-1111-111111111111"},
	"delivery.gate":                {value: false, with: map[string]any{"delivery.window": nil}, alone: true},
	"delivery.rollback":            {value: true, alone: true}, // it needs the gate, which the others take away
	"delivery.approval":            {value: false},
	"delivery.window.hours":        {value: "10:00-12:00"},
	"delivery.window.timeZone":     {value: "America/New_York"},
	"delivery.review":              {value: false},
	"delivery.rehearsal":           {value: true, alone: true}, // it needs the review, which the others take away
	"delivery.test":                {value: "check-fast"},
	"delivery.imagesFrom":          {never: "TestTwoStepImagesFrom sets it"},
	"delivery.imageUpdates":        {value: "commit"},
	"delivery.logDays":             {value: 180},
	"alerts.webhook":               {value: "slack"},
	"alerts.sns":                   {value: false},
	"alerts.commitStatus":          {value: true, with: map[string]any{"repositoryUrl": nil}, alone: true},
	"cost.budget":                  {value: 3000},
	"cost.anomalies":               {value: "environment", alone: true}, // without the service's monitor there is no other change to hide
	"cost.anomaliesFrom":           {value: 200},
	"drift.repair":                 {value: true},
	"drift.schedule":               {value: "off", alone: true}, // what watches goes, and comes back by the next change
	"tags":                         {value: map[string]any{"team": "platform"}},
	"repository.owner":             {value: "another-company"},
	"repository.name":              {value: "another-platform"},
	"repository.connectionArn":     {value: "arn:aws:codeconnections:eu-west-1:333333333333:connection/22222222-2222-2222-2222-222222222222"},
	"repository.credentials":       {value: "githubApp"},

	"databases.mysql.instanceClass":    {value: "db.m7g.large"},
	"databases.mysql.multiAz":          {value: true},
	"databases.mysql.storageGiB":       {value: 50},
	"databases.mysql.maxStorageGiB":    {value: 500},
	"databases.mysql.backupDays":       {value: 14},
	"databases.mysql.logDays":          {value: 90},
	"databases.mysql.rotationDays":     {value: 90},
	"databases.postgres.instanceClass": {value: "db.m7g.large"},
	"databases.postgres.multiAz":       {value: true},
	"databases.postgres.storageGiB":    {value: 50},
	"databases.postgres.maxStorageGiB": {value: 500},
	"databases.postgres.backupDays":    {value: 14},
	"databases.postgres.logDays":       {value: 90},
	"databases.postgres.rotationDays":  {value: 90},
}

const (
	mailReason   = "an identity of SES is a domain: the new one is made before the old one is deleted; mail waits until SES has verified it"
	recordReason = "a record is of one zone: the new one is made before the old one is deleted"
)

const certificateReason = "a certificate is of one name: the new one is issued and attached before the old one is deleted"

// change is the change of one key.
func (s second) change(path string) change {
	edits := map[string]any{path: s.value}
	maps.Copy(edits, s.with)
	return change{name: path, edits: edits, reasons: s.reasons}
}

// Every change of a number, a switch, a choice or a name is an update in place, or has a reason.
func TestTwoStepValues(t *testing.T) {
	known := twoStepPaths()
	for path, kind := range known {
		if _, has := twoStepValues[path]; kind.Kind() != reflect.Slice && !has {
			t.Errorf("%s is a key of the configuration without a row in twoStepValues: give it a second value", path)
		}
	}
	before := unchanged(t)
	var together []change
	for _, path := range slices.Sorted(maps.Keys(twoStepValues)) {
		s := twoStepValues[path]
		switch {
		case known[path] == nil || known[path].Kind() == reflect.Slice:
			t.Errorf("twoStepValues: %s is no such key of the configuration; remove the row", path)
		case s.never != "":
		case s.alone:
			t.Run(path, func(t *testing.T) { check(t, before, []change{s.change(path)}) })
		default:
			together = append(together, s.change(path))
		}
	}
	t.Run("the others", func(t *testing.T) { check(t, before, together) })
}

// An environment that begins to run another's images loses its image pipeline, and gets it back, by updates in place.
func TestTwoStepImagesFrom(t *testing.T) {
	const source = "integration"
	context := twoStepContext(t, map[string]any{"delivery.imagesFrom": source})
	all := context["gitops"].(map[string]any)["environments"].(map[string]any)
	all[source] = sample(t)["gitops"].(map[string]any)["environments"].(map[string]any)[source]
	copies := read(t, synthesize(t, context, environments(t, context, twoStepEnvironment), false))
	for _, s := range []step{{unchanged(t), copies}, {copies, unchanged(t)}} {
		for _, f := range s.findings(t) {
			t.Error(f)
		}
	}
	delivery := twoStepEnvironment + "-delivery"
	if was, is := len(unchanged(t)[delivery].ofType("AWS::CodePipeline::Pipeline")), len(copies[delivery].ofType("AWS::CodePipeline::Pipeline")); is != was-1 {
		t.Errorf("%d pipelines become %d", was, is)
	}
}

// A higher version moves the control plane, the add-ons and the nodes.
func TestTwoStepVersion(t *testing.T) {
	versions := config.KubernetesVersions()
	previous := versions[slices.Index(versions, environments(t, twoStepContext(t, nil), twoStepEnvironment)[0].Cluster.Version)-1]
	before, after := twoStepTemplates(t, map[string]any{"cluster.version": previous}), unchanged(t)
	for _, f := range (step{before, after}).findings(t) {
		t.Error(f)
	}
	name := twoStepEnvironment + "-cluster"
	old, now := before[name], after[name]
	for id, r := range now.Resources {
		var want []string
		switch {
		case r.Type == "AWS::EKS::Cluster":
			want = []string{"Version"}
		case r.Type == "AWS::EKS::Nodegroup":
			// CloudFormation refuses any other change of the group together with these.
			want = []string{"ReleaseVersion", "Version"}
		case r.Properties["AddonName"] == "kube-proxy":
			want = []string{"AddonVersion"} // it has the numbers of Kubernetes
		default:
			continue
		}
		if got := differences(old.Resources[id].Properties, r.Properties); !slices.Equal(got, want) {
			t.Errorf("%s: the version changes %v, must be %v", id, got, want)
		}
	}
}

// differences are the names of the properties that differ.
func differences(old, now map[string]any) []string {
	all := maps.Clone(old)
	maps.Copy(all, now)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return text(old[name]) == text(now[name]) })
}

// CloudFormation updates in the order in which resources depend on each other: control plane, the add-ons that nodes
// need, nodes, the add-ons that need nodes.
func TestUpgradeOrder(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("cluster")]
		cluster, nodes := onlyID(t, stack, "AWS::EKS::Cluster"), onlyID(t, stack, "AWS::EKS::Nodegroup")
		if !stack.before(nodes)[cluster] {
			t.Errorf("%s: the nodes are updated before the control plane", env.Name)
		}
		for id, addon := range stack.ofType("AWS::EKS::Addon") {
			if version, _ := addon.Properties["AddonVersion"].(string); version == "" {
				t.Errorf("%s: %s has no AddonVersion: EKS would never update it", env.Name, id)
			}
			if !stack.before(id)[cluster] {
				t.Errorf("%s: %s is updated before the control plane", env.Name, id)
			}
			name, _ := addon.Properties["AddonName"].(string)
			first := slices.Contains([]string{"eks-pod-identity-agent", "kube-proxy", "vpc-cni"}, name)
			if first && !stack.before(nodes)[id] || !first && !stack.before(id)[nodes] {
				t.Errorf("%s: %s: DaemonSets go before the nodes, which need them, Deployments after", env.Name, id)
			}
		}
	}
}

// onlyID is the logical id of the one resource of a type.
func onlyID(t *testing.T, parsed template, kind string) string {
	t.Helper()
	parsed.only(t, kind)
	for id := range parsed.ofType(kind) {
		return id
	}
	return ""
}

// before are the resources that CloudFormation creates and updates before one: those that it depends on or refers to.
func (t template) before(id string) map[string]bool {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(id string) {
		r := t.Resources[id]
		content := text(r.Properties)
		for other := range t.Resources {
			refers := slices.Contains(r.DependsOn, other) || strings.Contains(content, `"Ref":"`+other+`"`) || strings.Contains(content, `"Fn::GetAtt":["`+other+`"`)
			if refers && !seen[other] {
				seen[other] = true
				visit(other)
			}
		}
	}
	visit(id)
	return seen
}
