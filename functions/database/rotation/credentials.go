package rotation

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// credentials are the fields of a secret: engine, host, port, dbname, username, password, and others that stay as they are.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
type credentials map[string]any

// text is a field as text; a port may be a number or text.
func (c credentials) text(key string) string {
	if c[key] == nil {
		return ""
	}
	return fmt.Sprint(c[key])
}

// read returns the value of a version, or of the one with a label.
func (r *Rotator) read(ctx context.Context, secret, version, label string) (credentials, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &secret, VersionStage: &label}
	if version != "" {
		in.VersionId = &version
	}
	out, err := r.Secrets.GetSecretValue(ctx, in)
	if err != nil {
		return nil, err
	}
	c := credentials{}
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &c); err != nil {
		return nil, fmt.Errorf("%s must hold a JSON object", secret) // without the cause, which would quote it
	}
	if port, ok := c["port"].(float64); ok {
		c["port"] = int(port)
	}
	return c, nil
}

// write puts a value into a version of the application's secret, a new one without an id, and gives it a label.
func (r *Rotator) write(ctx context.Context, value credentials, version *string, label string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = r.Secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &r.Secret, ClientRequestToken: version, SecretString: aws.String(string(text)), VersionStages: []string{label},
	})
	return err
}
