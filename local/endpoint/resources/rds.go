package resources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
)

func rdsTag(k, v string) rdstypes.Tag { return rdstypes.Tag{Key: aws.String(k), Value: aws.String(v)} }

// databaseClass is the instance classes of RDS for MySQL, by family and size,
// so that a class that does not exist fails here as it does on AWS. moto takes
// any text.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Support.html
var databaseClass = regexp.MustCompile(`^db\.(` +
	`(t3|t4g)\.(micro|small|medium|large|xlarge|2xlarge)|` +
	`(m5|m5d|m6g|m6gd|m6i|m6id|m7g|m7i|m8g|r5|r5b|r5d|r6g|r6gd|r6i|r6id|r7g|r7i|r8g|x2g)\.` +
	`(large|xlarge|2xlarge|4xlarge|8xlarge|12xlarge|16xlarge|24xlarge|32xlarge|48xlarge))$`)

func init() {
	Register(&Type{
		Name: "AWS::RDS::DBInstance",
		Properties: []string{
			"AllocatedStorage", "AllowMajorVersionUpgrade", "AutoMinorVersionUpgrade", "AvailabilityZone", "BackupRetentionPeriod",
			"CACertificateIdentifier", "CopyTagsToSnapshot", "DBInstanceClass", "DBInstanceIdentifier", "DBName", "DBParameterGroupName",
			"DBSnapshotIdentifier", "DBSubnetGroupName", "DeleteAutomatedBackups",
			"DeletionProtection", "EnableCloudwatchLogsExports", "EnableIAMDatabaseAuthentication", "EnablePerformanceInsights",
			"Engine", "EngineVersion", "Iops", "KmsKeyId", "MasterUserPassword", "MasterUsername", "MaxAllocatedStorage", "MonitoringInterval", "MonitoringRoleArn", "MultiAZ",
			"PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod", "Port", "PreferredBackupWindow", "PreferredMaintenanceWindow",
			"PubliclyAccessible", "StorageEncrypted", "StorageThroughput", "StorageType", "Tags", "VPCSecurityGroups",
		},
		// Another snapshot, or none, is another instance:
		// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html#cfn-rds-dbinstance-dbsnapshotidentifier
		Immutable: []string{"DBSnapshotIdentifier", "Engine", "Port"},
		Snapshots: true,
		Create:    createInstance, Update: updateInstance, Delete: deleteInstance,
	})
	Register(&Type{
		Name: "AWS::RDS::DBSubnetGroup", Properties: []string{"DBSubnetGroupDescription", "DBSubnetGroupName", "SubnetIds", "Tags"},
		Create: createSubnetGroup, Update: updateSubnetGroup,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.rds().DeleteDBSubnetGroup(ctx, &rds.DeleteDBSubnetGroupInput{DBSubnetGroupName: &id}))
		},
	})
	Register(&Type{
		Name: "AWS::RDS::DBParameterGroup", Properties: []string{"DBParameterGroupName", "Description", "Family", "Parameters", "Tags"},
		Recorded: "the database servers run with their own parameters, of which rds.force_ssl alone can be changed; MySQL refuses connections without TLS all the same",
		Create:   createParameterGroup, Update: updateParameterGroup,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.rds().DeleteDBParameterGroup(ctx, &rds.DeleteDBParameterGroupInput{DBParameterGroupName: &id}))
		},
	})
}

// checkInstance refuses what RDS would refuse and moto accepts.
func checkInstance(p Properties) error {
	if class := p.String("DBInstanceClass"); !databaseClass.MatchString(class) {
		return fmt.Errorf("InvalidParameterCombination: RDS does not support a DB instance with DBInstanceClass=%s, Engine=%s; "+
			"the local check knows the families t3, t4g, m5 to m8g, r5 to r8g and x2g", class, p.String("Engine"))
	}
	if n, ok := p.Int("AllocatedStorage"); ok && (n < 20 || n > 65536) {
		return fmt.Errorf("InvalidParameterValue: AllocatedStorage: %d GiB, RDS takes 20 to 65536", n)
	}
	if n, ok := p.Int("BackupRetentionPeriod"); ok && (n < 0 || n > 35) {
		return fmt.Errorf("InvalidParameterValue: BackupRetentionPeriod: %d days, RDS takes 0 to 35", n)
	}
	return nil
}

// instanceInput are the properties under the names of the API.
func instanceInput(p Properties) Properties {
	return p.without("Tags", "DBInstanceIdentifier").rename("VPCSecurityGroups", "VpcSecurityGroupIds")
}

func createInstance(ctx context.Context, r *Request, p Properties) (Result, error) {
	if err := checkInstance(p); err != nil {
		return Result{}, err
	}
	// Before there is an instance, which a rollback would have to remove.
	if _, err := r.server(ctx, p.String("Engine")); err != nil {
		return Result{}, err
	}
	id, asked := r.name(p, "DBInstanceIdentifier", 63, true), p
	p, err := r.restored(p)
	if err != nil {
		return Result{}, err
	}
	var in rds.CreateDBInstanceInput
	if err := decode(instanceInput(p).without("AllowMajorVersionUpgrade", "DeleteAutomatedBackups"), &in); err != nil {
		return Result{}, err
	}
	in.DBInstanceIdentifier, in.Tags = &id, tagList(r.tags(p), rdsTag)
	if err := r.made(done(r.rds().CreateDBInstance(ctx, &in)), p.Has("DBInstanceIdentifier"), "AlreadyExists"); err != nil {
		return Result{}, err
	}
	if err := r.fill(ctx, asked, p); err != nil {
		return Result{ID: id}, err
	}
	if err := r.provisionDatabase(ctx, p); err != nil {
		return Result{ID: id}, err
	}
	return instanceResult(ctx, r, id)
}

func instanceResult(ctx context.Context, r *Request, id string) (Result, error) {
	out, err := r.rds().DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil {
		return Result{ID: id}, err
	}
	db, err := onlyOne(out.DBInstances, nil, "database instance "+id)
	host, port := r.databaseEndpoint(aws.ToString(db.Engine))
	return Result{ID: id, Attributes: map[string]any{
		"Endpoint.Address": host, "Endpoint.Port": strconv.Itoa(port), "Endpoint.HostedZoneId": "",
		"DBInstanceArn": aws.ToString(db.DBInstanceArn), "DbiResourceId": aws.ToString(db.DbiResourceId),
	}}, err
}

func updateInstance(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if err := checkInstance(updated); err != nil {
		return Result{}, err
	}
	// Only what changed: the API takes absence for "leave it".
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(updated)) {
		if k != "Tags" && changed(old, updated, k) {
			keys = append(keys, k)
		}
	}
	if len(keys) > 0 {
		var in rds.ModifyDBInstanceInput
		if err := decode(modifyInput(updated.pick(keys...)), &in); err != nil {
			return Result{}, err
		}
		in.DBInstanceIdentifier, in.ApplyImmediately = &id, aws.Bool(true)
		if _, err := r.rds().ModifyDBInstance(ctx, &in); err != nil {
			return Result{}, err
		}
	}
	whole, err := r.named(ctx, id, updated)
	if err != nil {
		return Result{}, err
	}
	if err := r.provisionDatabase(ctx, whole); err != nil {
		return Result{}, err
	}
	result, err := instanceResult(ctx, r, id)
	if err != nil {
		return Result{}, err
	}
	return result, updateRDSTags(ctx, r, result.Attributes["DBInstanceArn"].(string), old, updated)
}

// modifyInput translates the properties that a modification names differently.
func modifyInput(p Properties) Properties {
	out := instanceInput(p).without("DeleteAutomatedBackups")
	if p.Has("EnableCloudwatchLogsExports") {
		out = out.without("EnableCloudwatchLogsExports")
		out["CloudwatchLogsExportConfiguration"] = map[string]any{"EnableLogTypes": p["EnableCloudwatchLogsExports"]}
	}
	return out.without("AvailabilityZone")
}

func updateRDSTags(ctx context.Context, r *Request, arn string, old, updated Properties) error {
	return r.retag(old, updated, func(keys []string) error {
		return done(r.rds().RemoveTagsFromResource(ctx, &rds.RemoveTagsFromResourceInput{ResourceName: &arn, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.rds().AddTagsToResource(ctx, &rds.AddTagsToResourceInput{ResourceName: &arn, Tags: tagList(tags, rdsTag)}))
	})
}

// deleteInstance deletes the instance and drops its database, of which a copy
// stays when a last snapshot is asked for. Its name is like CloudFormation's.
func deleteInstance(ctx context.Context, r *Request, id string, p Properties) error {
	whole, err := r.named(ctx, id, p)
	if isGone(err) { // an earlier attempt was cut off
		if whole, err = r.restored(p); errors.Is(err, errNoSnapshot) { // nobody knows its names, and it is gone
			return nil
		}
	}
	if err != nil {
		return err
	}
	if r.Snapshot {
		last := strings.ToLower(r.StackName + "-snapshot-" + r.Name(255, true)[len(r.StackName)+1:])
		_, err := r.rds().CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{DBInstanceIdentifier: &id, DBSnapshotIdentifier: &last})
		if err := gone(err); err != nil && !hasCode(err, "AlreadyExists") {
			return err
		}
		r.Log.Info("last snapshot", "instance", id, "snapshot", last)
	}
	_, err = r.rds().DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{DBInstanceIdentifier: &id, SkipFinalSnapshot: aws.Bool(true)})
	if gone(err) != nil {
		return err
	}
	return r.dropDatabase(ctx, whole)
}

func createSubnetGroup(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in rds.CreateDBSubnetGroupInput
	if err := decode(p.pick("DBSubnetGroupDescription", "SubnetIds"), &in); err != nil {
		return Result{}, err
	}
	name := r.name(p, "DBSubnetGroupName", 255, true)
	in.DBSubnetGroupName, in.Tags = &name, tagList(r.tags(p), rdsTag)
	if err := r.made(done(r.rds().CreateDBSubnetGroup(ctx, &in)), p.Has("DBSubnetGroupName"), "AlreadyExists"); err != nil {
		return Result{}, err
	}
	return Result{ID: name}, nil
}

func updateSubnetGroup(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	result := Result{ID: id}
	if changed(old, updated, "DBSubnetGroupDescription", "SubnetIds") {
		var in rds.ModifyDBSubnetGroupInput
		if err := decode(updated.pick("DBSubnetGroupDescription", "SubnetIds"), &in); err != nil {
			return Result{}, err
		}
		in.DBSubnetGroupName = &id
		if _, err := r.rds().ModifyDBSubnetGroup(ctx, &in); err != nil {
			return Result{}, err
		}
		// moto forgets a group that it modifies.
		again := rds.CreateDBSubnetGroupInput{
			DBSubnetGroupName: &id, DBSubnetGroupDescription: in.DBSubnetGroupDescription, SubnetIds: in.SubnetIds, Tags: tagList(r.tags(updated), rdsTag),
		}
		_, err := r.rds().CreateDBSubnetGroup(ctx, &again)
		var there *rdstypes.DBSubnetGroupAlreadyExistsFault
		if err != nil && !errors.As(err, &there) {
			return Result{}, err
		}
	}
	return result, updateRDSTags(ctx, r, r.rdsARN("subgrp", id), old, updated)
}

func (s *Services) rdsARN(kind, id string) string {
	return "arn:aws:rds:" + s.Region + ":" + s.Account + ":" + kind + ":" + id
}

func createParameterGroup(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "DBParameterGroupName", 255, true)
	err := done(r.rds().CreateDBParameterGroup(ctx, &rds.CreateDBParameterGroupInput{
		DBParameterGroupName: &name, DBParameterGroupFamily: aws.String(p.String("Family")),
		Description: aws.String(p.String("Description")), Tags: tagList(r.tags(p), rdsTag),
	}))
	if err := r.made(err, p.Has("DBParameterGroupName"), "AlreadyExists"); err != nil {
		return Result{}, err
	}
	return setParameters(ctx, r, name, p)
}

func setParameters(ctx context.Context, r *Request, name string, p Properties) (Result, error) {
	result := Result{ID: name, Attributes: map[string]any{"DBParameterGroupName": name}}
	var list []rdstypes.Parameter
	parameters := p.Object("Parameters")
	for _, k := range slices.Sorted(maps.Keys(parameters)) {
		list = append(list, rdstypes.Parameter{
			ParameterName: aws.String(k), ParameterValue: aws.String(parameters.String(k)), ApplyMethod: rdstypes.ApplyMethodPendingReboot,
		})
	}
	for part := range slices.Chunk(list, 20) { // the API takes 20 at a time
		if _, err := r.rds().ModifyDBParameterGroup(ctx, &rds.ModifyDBParameterGroupInput{DBParameterGroupName: &name, Parameters: part}); err != nil {
			return result, err
		}
	}
	return result, nil
}

func updateParameterGroup(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	// A parameter that left the template keeps its value: moto has no
	// ResetDBParameterGroup. rds.force_ssl is the only one that is read.
	result, err := setParameters(ctx, r, id, updated)
	if err != nil {
		return Result{}, err
	}
	if err := r.applyTLS(ctx, id); err != nil {
		return Result{}, err
	}
	return result, updateRDSTags(ctx, r, r.rdsARN("pg", id), old, updated)
}
