package resources

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// cacheNode is the node types of ElastiCache by family and size, so that one that does not exist fails here as it does on AWS:
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
var cacheNode = regexp.MustCompile(`^cache\.((t2|t3|t4g)\.(micro|small|medium)|[mr][4-9]g?\.(large|[0-9]*xlarge)|c7gn\.(large|[0-9]*xlarge))$`)

func init() {
	Register(&Type{
		Name: "AWS::ElastiCache::ReplicationGroup",
		Properties: []string{
			"AtRestEncryptionEnabled", "AuthToken", "AutoMinorVersionUpgrade", "AutomaticFailoverEnabled", "CacheNodeType", "CacheSubnetGroupName",
			"Engine", "EngineVersion", "KmsKeyId", "MultiAZEnabled", "NumCacheClusters", "Port", "PreferredMaintenanceWindow",
			"ReplicationGroupDescription", "ReplicationGroupId", "SecurityGroupIds", "SnapshotRetentionLimit", "SnapshotWindow", "Tags",
			"TransitEncryptionEnabled", "TransitEncryptionMode",
		},
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return setCache(ctx, r, r.name(p, "ReplicationGroupId", 40, true), p)
		},
		Update: func(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
			// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagementConsiderations-valkey.html
			if old.String("Engine") == "valkey" && updated.String("Engine") == "redis" {
				return Result{}, errors.New("InvalidParameterCombination: a replication group of Valkey cannot become one of Redis")
			}
			return setCache(ctx, r, id, updated)
		},
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			if r.Caches == nil {
				return nil
			}
			return r.Caches.Remove(ctx, id)
		},
	})
}

// checkCache refuses what ElastiCache would refuse, and what no server here does.
func checkCache(id string, p Properties) error {
	nodes, _ := p.Int("NumCacheClusters")
	switch token := p.String("AuthToken"); {
	case len(id) > 40:
		return fmt.Errorf("InvalidParameterValue: ReplicationGroupId %s has %d characters, ElastiCache takes 40", id, len(id))
	case !cacheNode.MatchString(p.String("CacheNodeType")):
		return fmt.Errorf("InvalidParameterValue: CacheNodeType %q is none of ElastiCache", p.String("CacheNodeType"))
	case !p.Bool("TransitEncryptionEnabled") || p.String("TransitEncryptionMode") == "preferred":
		return errors.New("the local caches take connections with TLS alone: set TransitEncryptionEnabled, and TransitEncryptionMode to required")
	case len(token) < 16 || len(token) > 128:
		return fmt.Errorf("InvalidParameterValue: AuthToken: %d characters, ElastiCache takes 16 to 128, and the local caches want one", len(token))
	case p.Bool("AutomaticFailoverEnabled") && nodes < 2:
		return errors.New("InvalidParameterCombination: AutomaticFailoverEnabled needs at least one replica: set NumCacheClusters to 2 or more")
	}
	return nil
}

// setCache runs the group's server with what its properties say. Nodes beside the first are not here.
func setCache(ctx context.Context, r *Request, id string, p Properties) (Result, error) {
	if err := checkCache(id, p); err != nil {
		return Result{}, err
	}
	if r.Caches == nil {
		return Result{}, errors.New("no server of Valkey runs here")
	}
	port, err := r.Caches.Start(ctx, id, p.String("AuthToken"))
	if err != nil {
		return Result{}, fmt.Errorf("cache %s: %w", id, err)
	}
	attributes := map[string]any{}
	for _, endpoint := range []string{"PrimaryEndPoint", "ReaderEndPoint"} {
		attributes[endpoint+".Address"], attributes[endpoint+".Port"] = "127.0.0.1", strconv.Itoa(port)
	}
	return Result{ID: id, Attributes: attributes}, nil
}
