package resources

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func init() {
	Register(&Type{
		Name: "AWS::DynamoDB::Table",
		Properties: []string{"AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled", "KeySchema", "PointInTimeRecoverySpecification",
			"TableName", "Tags", "TimeToLiveSpecification"},
		Create: createTable, Update: updateTable, Delete: deleteTable,
	})
}

func tableTag(k, v string) dbtypes.Tag { return dbtypes.Tag{Key: aws.String(k), Value: aws.String(v)} }

func createTable(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "TableName", 255, false)
	in := &dynamodb.CreateTableInput{TableName: &name, Tags: tagList(r.tags(p), tableTag)}
	if err := decode(p.pick("AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled", "KeySchema"), in); err != nil {
		return Result{}, err
	}
	if err := r.made(done(r.tables().CreateTable(ctx, in)), p.Has("TableName"), "ResourceInUse"); err != nil {
		return Result{}, err
	}
	wait := dynamodb.NewTableExistsWaiter(r.tables(), func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
	if err := wait.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, time.Minute); err != nil {
		return Result{}, fmt.Errorf("table %s: %w", name, err)
	}
	return r.tableResult(name), setTable(ctx, r, name, nil, p)
}

func (r *Request) tableResult(name string) Result {
	return Result{ID: name, Attributes: map[string]any{"Arn": "arn:aws:dynamodb:" + r.Region + ":" + r.Account + ":table/" + name}}
}

// setTable sets what CreateTable does not take. DynamoDB refuses a state that it has already.
func setTable(ctx context.Context, r *Request, name string, old, p Properties) error {
	const expiry, recovery = "TimeToLiveSpecification", "PointInTimeRecoverySpecification"
	if changed(old, p, expiry) {
		attribute, enabled := p.Object(expiry).String("AttributeName"), p.Object(expiry).Bool("Enabled")
		if attribute == "" {
			attribute, enabled = old.Object(expiry).String("AttributeName"), false
		}
		in := &dynamodb.UpdateTimeToLiveInput{TableName: &name, TimeToLiveSpecification: &dbtypes.TimeToLiveSpecification{AttributeName: &attribute, Enabled: &enabled}}
		if _, err := r.tables().UpdateTimeToLive(ctx, in); err != nil {
			return err
		}
	}
	if !changed(old, p, recovery) {
		return nil
	}
	return done(r.tables().UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
		TableName: &name, PointInTimeRecoverySpecification: &dbtypes.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: aws.Bool(p.Object(recovery).Bool("PointInTimeRecoveryEnabled")),
		},
	}))
}

func updateTable(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	if changed(old, updated, "BillingMode", "DeletionProtectionEnabled") {
		in := &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: aws.Bool(updated.Bool("DeletionProtectionEnabled"))}
		if err := decode(updated.pick("BillingMode"), in); err != nil {
			return Result{}, err
		}
		if _, err := r.tables().UpdateTable(ctx, in); err != nil {
			return Result{}, err
		}
	}
	if err := setTable(ctx, r, name, old, updated); err != nil {
		return Result{}, err
	}
	result := r.tableResult(name)
	arn := aws.String(result.Attributes["Arn"].(string))
	return result, r.retag(old, updated, func(keys []string) error {
		return done(r.tables().UntagResource(ctx, &dynamodb.UntagResourceInput{ResourceArn: arn, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.tables().TagResource(ctx, &dynamodb.TagResourceInput{ResourceArn: arn, Tags: tagList(tags, tableTag)}))
	})
}

// deleteTable refuses a table that is protected, as DynamoDB does; moto deletes it.
func deleteTable(ctx context.Context, r *Request, name string, p Properties) error {
	if p.Bool("DeletionProtectionEnabled") {
		return fmt.Errorf("ValidationException: table %s has deletion protection: turn it off first", name)
	}
	return deleted(r.tables().DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name}))
}
