package resources

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func init() {
	Register(&Type{
		Name:       "AWS::SecretsManager::Secret",
		Properties: []string{"Description", "GenerateSecretString", "KmsKeyId", "Name", "SecretString", "Tags"},
		Immutable:  []string{"Name"},
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
	Register(&Type{
		Name:       "AWS::SecretsManager::ResourcePolicy",
		Properties: []string{"BlockPublicPolicy", "ResourcePolicy", "SecretId"}, Immutable: []string{"SecretId"},
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return Result{ID: p.String("SecretId"), Attributes: map[string]any{"Id": p.String("SecretId")}}, putSecretPolicy(ctx, r, p)
		},
		Update: func(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
			return Result{ID: id, Attributes: map[string]any{"Id": id}}, putSecretPolicy(ctx, r, updated)
		},
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.secrets().DeleteResourcePolicy(ctx, &secretsmanager.DeleteResourcePolicyInput{SecretId: &id})
			return gone(err)
		},
	})
}

func createSecret(ctx context.Context, r *Request, p Properties) (Result, error) {
	value, err := secretValue(p)
	if err != nil {
		return Result{}, err
	}
	in := &secretsmanager.CreateSecretInput{
		Name:         aws.String(r.name(p, "Name", 256, false)),
		SecretString: &value,
		Tags:         tagList(r.tags(p), func(k, v string) smtypes.Tag { return smtypes.Tag{Key: aws.String(k), Value: aws.String(v)} }),
	}
	if err := decode(p.pick("Description", "KmsKeyId"), in); err != nil {
		return Result{}, err
	}
	out, err := r.secrets().CreateSecret(ctx, in)
	if err != nil {
		return Result{}, err
	}
	return secretResult(*out.ARN), nil
}

func secretResult(arn string) Result { return Result{ID: arn, Attributes: map[string]any{"Id": arn}} }

// secretValue is the stated value, or one generated as the template says.
func secretValue(p Properties) (string, error) {
	if !p.Has("GenerateSecretString") {
		return p.String("SecretString"), nil
	}
	return generateSecret(p.Object("GenerateSecretString"))
}

const (
	lower       = "abcdefghijklmnopqrstuvwxyz"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// generateSecret follows GetRandomPassword: 32 characters by default, at least
// one of every class that is not excluded, optionally as one key of a JSON
// template.
func generateSecret(g Properties) (string, error) {
	length, ok := g.Int("PasswordLength")
	if !ok {
		length = 32
	}
	var classes []string
	for _, c := range []struct{ exclude, letters string }{
		{"ExcludeLowercase", lower}, {"ExcludeUppercase", upper}, {"ExcludeNumbers", digits}, {"ExcludePunctuation", punctuation},
	} {
		if !g.Bool(c.exclude) {
			classes = append(classes, c.letters)
		}
	}
	if g.Bool("IncludeSpace") {
		classes = append(classes, " ")
	}
	password, err := randomPassword(length, classes, g.String("ExcludeCharacters"))
	if err != nil {
		return "", err
	}
	key := g.String("GenerateStringKey")
	if key == "" {
		return password, nil
	}
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(g.String("SecretStringTemplate")), &fields); err != nil {
		return "", fmt.Errorf("GenerateSecretString.SecretStringTemplate is no JSON object: %w", err)
	}
	fields[key] = password
	data, err := json.Marshal(fields)
	return string(data), err
}

func randomPassword(length int, classes []string, excluded string) (string, error) {
	strip := func(c rune) rune {
		if strings.ContainsRune(excluded, c) {
			return -1
		}
		return c
	}
	var all string
	var out []byte
	for _, class := range classes {
		class = strings.Map(strip, class)
		if class == "" {
			continue
		}
		all += class
		out = append(out, class[randomIndex(len(class))])
	}
	if all == "" || length < len(out) {
		return "", fmt.Errorf("GenerateSecretString: a password of %d characters cannot hold one of each required class", length)
	}
	for len(out) < length {
		out = append(out, all[randomIndex(len(all))])
	}
	for i := len(out) - 1; i > 0; i-- {
		j := randomIndex(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return string(out), nil
}

// randomIndex returns a number below n. Reading from crypto/rand never fails:
// the program would have ended.
func randomIndex(n int) int {
	i, _ := rand.Int(rand.Reader, big.NewInt(int64(n)))
	return int(i.Int64())
}

// updateSecret generates a new value only when the generator changed, as
// CloudFormation does.
func updateSecret(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	in := &secretsmanager.UpdateSecretInput{SecretId: &id, Description: aws.String(updated.String("Description"))}
	if updated.Has("KmsKeyId") {
		in.KmsKeyId = aws.String(updated.String("KmsKeyId"))
	}
	if changed(old, updated, "GenerateSecretString", "SecretString") {
		value, err := secretValue(updated)
		if err != nil {
			return Result{}, err
		}
		in.SecretString = &value
	}
	if _, err := r.secrets().UpdateSecret(ctx, in); err != nil {
		return Result{}, err
	}
	if drop := removed(r.tags(old), r.tags(updated)); len(drop) > 0 {
		if _, err := r.secrets().UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: &id, TagKeys: drop}); err != nil {
			return Result{}, err
		}
	}
	tags := tagList(r.tags(updated), func(k, v string) smtypes.Tag { return smtypes.Tag{Key: aws.String(k), Value: aws.String(v)} })
	if _, err := r.secrets().TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: &id, Tags: tags}); err != nil {
		return Result{}, err
	}
	return secretResult(id), nil
}

// deleteSecret deletes at once, as CloudFormation does: the name is free again.
func deleteSecret(ctx context.Context, r *Request, id string, _ Properties) error {
	_, err := r.secrets().DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: aws.Bool(true)})
	return gone(err)
}

func putSecretPolicy(ctx context.Context, r *Request, p Properties) error {
	_, err := r.secrets().PutResourcePolicy(ctx, &secretsmanager.PutResourcePolicyInput{
		SecretId: aws.String(p.String("SecretId")), ResourcePolicy: aws.String(p.String("ResourcePolicy")),
	})
	return err
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
		fields[k] = v
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
