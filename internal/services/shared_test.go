package services

import (
	"regexp"
	"slices"
	"testing"
)

// The name of a database on a shared instance is its service's alone, one that both engines take, and no pattern of MySQL's.
func TestSharedDatabaseName(t *testing.T) {
	valid, services := regexp.MustCompile(`^[a-z][a-z0-9]{5,21}$`), map[string]string{}
	for _, service := range []string{"a", "mysql", "orders", "customer-orders", "customero-rders", "customerorders", "customer-orders-a", "customer-orders-b", "a234567890-234567890-234567890-234567890-234567890"} {
		name := SharedDatabaseName(service)
		if other := services[name]; other != "" || !valid.MatchString(name) || len(name+"_app_clone") > 32 {
			t.Errorf("%s: got %s, that of %q", service, name, other)
		}
		services[name] = service
	}
	if got := SharedDatabaseName("orders"); got != "orders1c168a" {
		t.Errorf("got %s: a database that is there would not be found by another name", got)
	}
}

// An environment has an instance for each engine of which a service there shares one.
func TestSharedEngines(t *testing.T) {
	const head = "image: a:1\nport: 8080\n"
	all, problems := ParseAll(map[string][]byte{
		FilesDir + "/own.yaml":   []byte(head + "aws: {database: {engine: mysql}}\n"),
		FilesDir + "/one.yaml":   []byte(head + "aws: {database: {engine: postgres}}\nenvironments:\n  dev: {aws: {database: {shared: true}}}\n  production: {aws: {database: {multiAz: true}}}\n"),
		FilesDir + "/two.yaml":   []byte(head + "aws: {database: {engine: postgres, shared: true}}\nenvironments: {production: {aws: {database: {shared: false, storageGiB: 50}}}}\n"),
		FilesDir + "/idle.yaml":  []byte(head + "aws: {database: {engine: mysql, shared: true}}\nenvironments: {dev: {enabled: false}}\n"),
		FilesDir + "/plain.yaml": []byte(head),
	}, clusters)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i, want := range [][]string{{Postgres}, {MySQL}} {
		if got := SharedEngines(clusters[i], all); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", clusters[i].Environment, got, want)
		}
	}
}
