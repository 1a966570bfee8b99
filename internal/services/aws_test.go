package services

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/services/assets"
)

// The name of a database is one that RDS takes, whatever the service is called.
func TestDatabaseName(t *testing.T) {
	for service, want := range map[string]string{"orders": "ordersdb", "mysql": "mysqldb", "order-archive-2026-eu": "orderarchive20db"} {
		if got := DatabaseName(service); got != want || len(got) > 16 {
			t.Errorf("%s: got %s, want %s", service, got, want)
		}
	}
}

// The differences of an environment are laid over what holds everywhere, key by key, and leave it as it is.
func TestAWSByEnvironment(t *testing.T) {
	content := "image: a:1\nport: 8080\naws:\n  database: {engine: postgres, storageGiB: 40}\n  secrets: {ONE: {length: 20}}\n" +
		"environments:\n  production:\n    aws: {database: {multiAz: true, storageGiB: 50}, secrets: {TWO: {}}, bucket: {}}\n"
	all, problems := ParseAll(map[string][]byte{FilesDir + "/a.yaml": []byte(content)}, clusters)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	production, dev := all[0].Resolve(clusters[1]), all[0].Resolve(clusters[0])
	if d := production.AWS.Database.Size(); d.StorageGiB != 50 || !d.MultiAZ || production.AWS.Database.Engine != Postgres || production.AWS.Bucket == nil || len(production.AWS.Secrets) != 2 {
		t.Errorf("production: %+v", production.AWS)
	}
	if d := dev.AWS.Database.Size(); d.StorageGiB != 40 || d.MultiAZ || d.InstanceClass != "db.t4g.small" || dev.AWS.Bucket != nil || len(dev.AWS.Secrets) != 1 {
		t.Errorf("dev: %+v", dev.AWS)
	}
	if dev.Secrets["ONE"].Path != "/dev/a/one" || production.Environment["BUCKET_NAME"] != "production-a-files-333333333333-eu-west-1" || dev.Environment["BUCKET_NAME"] != "" {
		t.Errorf("variables: %v, %v", dev.Secrets, production.Environment)
	}
}

// Each key below aws is one kind, but for the policy, which is about resources of others; so nothing that is added to the
// file's keys goes without its variables and without what nobody else may ask for.
func TestKinds(t *testing.T) {
	want := []string{"policy"}
	for _, k := range kinds {
		want = append(want, k.key)
		if len(k.arns(clusters[0].names(), "npm")) == 0 || k.api && k.connection != nil || (k.name == nil) != (k.longest == 0) {
			t.Errorf("%s: %+v", k.key, k)
		}
	}
	var got []string
	for i := range reflect.TypeFor[AWS]().NumField() {
		got = append(got, reflect.TypeFor[AWS]().Field(i).Tag.Get("yaml"))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("keys %v, kinds %v", got, want)
	}
}

// What a service has is what the differences of the environment say, and its variables follow.
func TestCacheMailAndAssets(t *testing.T) {
	content := "image: a:1\nport: 8080\naws:\n  cache: {}\n  mail: {}\n  assets: {}\nenvironments:\n  production:\n    aws: {cache: {nodeType: cache.m7g.large, replicas: 2}, mail: {user: shop}}\n"
	all, problems := ParseAll(map[string][]byte{FilesDir + "/a.yaml": []byte(content)}, clusters)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	dev, production := all[0].Resolve(clusters[0]), all[0].Resolve(clusters[1])
	if c := dev.AWS.Cache; c.Node() != "cache.t4g.micro" || c.ReplicaCount() != 0 || c.FailsOver() {
		t.Errorf("dev: %+v", c)
	}
	if c := production.AWS.Cache; c.Node() != "cache.m7g.large" || c.ReplicaCount() != 2 || !c.FailsOver() {
		t.Errorf("production: %+v", c)
	}
	if dev.Environment["MAIL_FROM"] != "noreply@a.dev.example.com" || production.Environment["MAIL_FROM"] != "shop@a.example.com" {
		t.Errorf("senders: %v, %v", dev.Environment, production.Environment)
	}
	if !dev.AWS.CallsAPIs() || (AWS{Cache: &Cache{}}).CallsAPIs() {
		t.Error("mail and assets are APIs, a cache is none")
	}
	paths := dev.SecretPaths(clusters[0], dev.Connections()[0])
	if !slices.Equal(paths, []string{"/dev/a/cache", "/dev/a/cache-endpoint"}) {
		t.Errorf("secrets: %v", paths)
	}
	// Failover can be left for a second step, because CloudFormation may ask for the replica first.
	later, problems := ParseAll(map[string][]byte{FilesDir + "/a.yaml": []byte("image: a:1\nport: 8080\naws: {cache: {replicas: 1, multiAz: false}}\n")}, clusters)
	if len(problems) > 0 || later[0].Resolve(clusters[0]).AWS.Cache.FailsOver() {
		t.Errorf("%v", problems)
	}
}

// A service that reads its files must have some, or its pods would get no address of them.
func TestAssetsWithoutFiles(t *testing.T) {
	spec := Spec{Name: "a", Settings: Settings{Environment: map[string]string{}, AWS: &AWS{Assets: &Assets{}}}}
	if err := spec.with(assets.Release{Service: "a"}, clusters[0]); err == nil || !strings.Contains(err.Error(), "aws.assets: must have files in k8s/services/a/assets") {
		t.Errorf("got %v", err)
	}
	if err := spec.with(assets.Release{Service: "a", Digest: "0123456789abcdef0123"}, clusters[0]); err != nil || spec.Environment[assets.PrefixVariable] != "services/a/0123456789abcdef0123" {
		t.Errorf("got %v, %v", err, spec.Environment)
	}
}

// Mail is refused where AWS has no SES.
func TestMailInChina(t *testing.T) {
	china := []Cluster{{Environment: "dev", Domain: "dev.example.com", Region: "cn-north-1", Account: "111111111111"}}
	_, problems := ParseAll(map[string][]byte{FilesDir + "/a.yaml": []byte("image: a:1\nport: 8080\naws:\n  mail: {}\n")}, china)
	if len(problems) != 1 || problems[0].Line != 4 || !strings.Contains(problems[0].String(), "AWS has no SES in China") {
		t.Errorf("got %v", problems)
	}
}

// Pods would have nothing to check the database's server by.
func TestDatabaseNeedsCertificates(t *testing.T) {
	unknown := clusters[0]
	unknown.Region, unknown.DatabaseCA = "il-central-1", false
	for name, content := range map[string]string{"a database": "aws: {database: {engine: mysql}}\n", "a bucket": "aws: {bucket: {}}\n"} {
		_, problems := ParseAll(map[string][]byte{FilesDir + "/a.yaml": []byte("image: a:1\nport: 8080\n" + content)}, []Cluster{unknown})
		if want := name == "a database"; (len(problems) == 1 && strings.Contains(problems[0].String(), "got il-central-1")) != want || !want && len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// The cluster's stack has room for so many associations and access entries: one service more is refused by name, and only where
// it is one more.
func TestServicesInTheClustersStack(t *testing.T) {
	files := map[string][]byte{}
	for i := range MaxAWS - 2 {
		files[fmt.Sprintf("%s/s%03d.yaml", FilesDir, i)] = []byte("image: a:1\nport: 8080\naws: {bucket: {}}\n")
	}
	files[FilesDir+"/stored.yaml"] = []byte("image: a:1\nport: 8080\naws: {database: {engine: mysql}}\n")
	files[FilesDir+"/without.yaml"] = []byte("image: a:1\nport: 8080\n")
	if _, problems := ParseAll(files, clusters); len(problems) > 0 {
		t.Fatal(problems)
	}
	files[FilesDir+"/zebra.yaml"] = []byte("image: a:1\nport: 8080\nenvironments:\n  production:\n    aws: {bucket: {}}\n")
	_, problems := ParseAll(files, clusters)
	want := "k8s/services/zebra.yaml:5: environments.production.aws: must fit into the 400 places of services in the cluster's stack of environment production, got 401"
	if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), want) {
		t.Errorf("got %v, want %s", problems, want)
	}
}
