package resources

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func secretTag(k, v string) smtypes.Tag {
	return smtypes.Tag{Key: aws.String(k), Value: aws.String(v)}
}

func init() {
	Register(&Type{
		Name:       "AWS::SecretsManager::Secret",
		Properties: []string{"Description", "GenerateSecretString", "KmsKeyId", "Name", "SecretString", "Tags"},
		Create:     createSecret, Update: updateSecret, Delete: deleteSecret,
	})
	Register(&Type{
		Name: "AWS::SecretsManager::SecretTargetAttachment", Properties: []string{"SecretId", "TargetId", "TargetType"},
		Create: attachSecret,
		Update: func(ctx context.Context, r *Request, _ string, _, updated Properties) (Result, error) {
			return attachSecret(ctx, r, updated)
		},
		// AWS leaves the connection fields in the secret.
		Delete: func(context.Context, *Request, string, Properties) error { return nil },
	})
}

func createSecret(ctx context.Context, r *Request, p Properties) (Result, error) {
	value, err := secretValue(ctx, r, p)
	if err != nil {
		return Result{}, err
	}
	in := &secretsmanager.CreateSecretInput{
		Name:         aws.String(r.name(p, "Name", 256, false)),
		SecretString: &value,
		Tags:         tagList(r.tags(p), secretTag),
	}
	if err := decode(p.pick("Description", "KmsKeyId"), in); err != nil {
		return Result{}, err
	}
	if err := r.made(done(r.secrets().CreateSecret(ctx, in)), p.Has("Name"), "ResourceExists"); err != nil {
		return Result{}, err
	}
	out, err := r.secrets().DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: in.Name})
	if err != nil {
		return Result{}, err
	}
	return secretResult(*out.ARN), nil
}

func secretResult(arn string) Result { return Result{ID: arn, Attributes: map[string]any{"Id": arn}} }

// secretValue is the stated value, or one generated as the template says: a password, or a JSON object with one.
func secretValue(ctx context.Context, r *Request, p Properties) (string, error) {
	if !p.Has("GenerateSecretString") {
		return p.String("SecretString"), nil
	}
	g := p.Object("GenerateSecretString")
	var in secretsmanager.GetRandomPasswordInput
	if err := decode(g.without("GenerateStringKey", "SecretStringTemplate"), &in); err != nil {
		return "", err
	}
	out, err := r.secrets().GetRandomPassword(ctx, &in)
	if err != nil {
		return "", fmt.Errorf("GenerateSecretString: %w", err)
	}
	key := g.String("GenerateStringKey")
	if key == "" {
		return *out.RandomPassword, nil
	}
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(g.String("SecretStringTemplate")), &fields); err != nil {
		return "", fmt.Errorf("GenerateSecretString.SecretStringTemplate is no JSON object: %w", err)
	}
	fields[key] = *out.RandomPassword
	data, err := json.Marshal(fields)
	return string(data), err
}

// updateSecret generates a new value only when the generator changed, as
// CloudFormation does.
func updateSecret(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	in := &secretsmanager.UpdateSecretInput{SecretId: &id, Description: aws.String(updated.String("Description"))}
	if updated.Has("KmsKeyId") {
		in.KmsKeyId = aws.String(updated.String("KmsKeyId"))
	}
	if changed(old, updated, "GenerateSecretString", "SecretString") {
		value, err := secretValue(ctx, r, updated)
		if err != nil {
			return Result{}, err
		}
		in.SecretString = &value
	}
	if _, err := r.secrets().UpdateSecret(ctx, in); err != nil {
		return Result{}, err
	}
	return secretResult(id), r.retag(old, updated, func(keys []string) error {
		return done(r.secrets().UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: &id, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.secrets().TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: &id, Tags: tagList(tags, secretTag)}))
	})
}

// deleteSecret deletes at once, as CloudFormation does: the name is free again.
func deleteSecret(ctx context.Context, r *Request, id string, _ Properties) error {
	return deleted(r.secrets().DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: aws.Bool(true)}))
}

// attachSecret adds the connection fields of a database to its secret, under
// the names that the rotation functions and every client expect.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
func attachSecret(ctx context.Context, r *Request, p Properties) (Result, error) {
	id := p.String("SecretId")
	connection, err := connectionFields(ctx, r, p.String("TargetType"), p.String("TargetId"))
	if err != nil {
		return Result{}, err
	}
	current, err := r.secrets().GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return Result{}, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(aws.ToString(current.SecretString)), &fields); err != nil {
		return Result{}, fmt.Errorf("secret %s holds no JSON object to attach a database to: %w", id, err)
	}
	for k, v := range connection {
		// A secret that names a user is of that one, who need not be the administrator.
		if fields[k] == nil || k != "username" {
			fields[k] = v
		}
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return Result{}, err
	}
	if string(data) != aws.ToString(current.SecretString) {
		if _, err := r.secrets().PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: aws.String(string(data))}); err != nil {
			return Result{}, err
		}
	}
	return secretResult(id), nil
}

func connectionFields(ctx context.Context, r *Request, kind, target string) (map[string]any, error) {
	if kind != "AWS::RDS::DBInstance" {
		return nil, fmt.Errorf("TargetType: %s is not supported by the local AWS API, want AWS::RDS::DBInstance", kind)
	}
	out, err := r.rds().DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &target})
	if err != nil {
		return nil, err
	}
	db, err := onlyOne(out.DBInstances, nil, "database instance "+target)
	if err != nil {
		return nil, err
	}
	host, port := r.databaseEndpoint(aws.ToString(db.Engine))
	fields := map[string]any{
		"engine": aws.ToString(db.Engine), "host": host, "port": port, "dbInstanceIdentifier": target,
	}
	if name := aws.ToString(db.DBName); name != "" {
		fields["dbname"] = name
	}
	if user := aws.ToString(db.MasterUsername); user != "" {
		fields["username"] = user
	}
	return fields, nil
}
