package resources

import (
	"context"
	"strings"
	"testing"
)

// caches note what they are asked for.
type caches map[string]string

func (c caches) Start(_ context.Context, group, password string) (int, error) {
	c[group] = password
	return 6400 + len(group), nil
}

func (c caches) Remove(_ context.Context, group string) error { delete(c, group); return nil }

func group(change Properties) Properties {
	p := Properties{
		"ReplicationGroupId": "local-orders", "ReplicationGroupDescription": "d", "Engine": "valkey", "EngineVersion": "9.0", "CacheNodeType": "cache.t4g.micro",
		"NumCacheClusters": 1, "AutomaticFailoverEnabled": false, "MultiAZEnabled": false, "Port": 6379, "TransitEncryptionEnabled": true,
		"TransitEncryptionMode": "required", "AuthToken": "0123456789abcdef", "AtRestEncryptionEnabled": true,
	}
	for key, value := range change {
		p[key] = value
	}
	return p
}

func TestReplicationGroup(t *testing.T) {
	const kind = "AWS::ElastiCache::ReplicationGroup"
	running := caches{}
	s := &stack{t: t, services: &Services{Caches: running}, name: "test", results: map[string]Result{}}
	id := s.create(kind, "Cache", group(nil))
	if id != "local-orders" || running[id] != "0123456789abcdef" || s.att("Cache", "PrimaryEndPoint.Address") != "127.0.0.1" || s.att("Cache", "PrimaryEndPoint.Port") != "6412" {
		t.Errorf("%s: %+v, running %v", id, s.results["Cache"], running)
	}
	if err := s.update(kind, "Cache", group(nil), group(Properties{"AuthToken": "fedcba9876543210", "CacheNodeType": "cache.m7g.large", "NumCacheClusters": 2, "AutomaticFailoverEnabled": true})); err != nil || running[id] != "fedcba9876543210" {
		t.Errorf("%v, running %v", err, running)
	}
	for name, c := range map[string]struct {
		change Properties
		says   string
	}{
		"node":     {Properties{"CacheNodeType": "db.t4g.micro"}, `CacheNodeType "db.t4g.micro"`},
		"token":    {Properties{"AuthToken": "short"}, "AuthToken: 5 characters"},
		"plain":    {Properties{"TransitEncryptionEnabled": false}, "TransitEncryptionEnabled"},
		"failover": {Properties{"AutomaticFailoverEnabled": true}, "NumCacheClusters to 2"},
		"name":     {Properties{"ReplicationGroupId": strings.Repeat("a", 41)}, "ElastiCache takes 40"},
	} {
		if _, err := s.find(kind, nil).Create(t.Context(), s.request(kind, "Other"), group(c.change)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(running) != 1 {
		t.Errorf("running: %v", running)
	}
	if err := s.update(kind, "Cache", group(nil), group(Properties{"Engine": "redis"})); err == nil {
		t.Error("Valkey becomes Redis")
	}
}
