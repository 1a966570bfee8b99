package function

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/local/endpoint/front"
)

// Rotations is the part of Secrets Manager that calls rotation functions. It rotates when it is asked to and follows no
// schedule.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
type Rotations struct {
	Secrets *secretsmanager.Client
	// Schedules are the properties of those in the stacks.
	Schedules func() []map[string]any
	Invoke    func(ctx context.Context, arn string, event []byte) ([]byte, error)
	Log       *slog.Logger
}

// steps are those of a rotation, in order.
var steps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

// Rotate begins a rotation, which goes on after it returns, and returns the version that it makes. One that was cut off goes
// on, and the caller is told so.
func (r *Rotations) Rotate(ctx context.Context, id, token string) (front.Rotated, error) {
	out, err := r.Secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		return front.Rotated{}, err
	}
	rotated := front.Rotated{ARN: aws.ToString(out.ARN), Name: aws.ToString(out.Name), VersionID: token}
	function := r.of(rotated)
	if function == "" {
		return rotated, front.Refuse("You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured " +
			"and you didn't include such an ARN as a parameter in this call.")
	}
	for version, labels := range out.VersionIdsToStages {
		if slices.Contains(labels, "AWSPENDING") && !slices.Contains(labels, "AWSCURRENT") && version != token {
			go r.run(context.WithoutCancel(ctx), function, rotated.ARN, version)
			return rotated, front.Refuse("A previous rotation isn't complete. That rotation will be reattempted.")
		}
	}
	if token == "" {
		rotated.VersionID = newToken()
	}
	go r.run(context.WithoutCancel(ctx), function, rotated.ARN, rotated.VersionID)
	return rotated, nil
}

// of returns the function that rotates a secret; empty without one.
func (r *Rotations) of(s front.Rotated) string {
	for _, schedule := range r.Schedules() {
		if schedule["SecretId"] == s.ARN || schedule["SecretId"] == s.Name {
			return fmt.Sprint(schedule["RotationLambdaARN"])
		}
	}
	return ""
}

func (r *Rotations) run(ctx context.Context, function, secret, token string) {
	for _, step := range steps {
		event, err := json.Marshal(map[string]string{"Step": step, "SecretId": secret, "ClientRequestToken": token})
		if err == nil {
			_, err = r.Invoke(ctx, function, event)
		}
		if err != nil {
			r.Log.Error("a rotation failed", "secret", secret, "step", step, "error", err)
			return
		}
	}
	r.Log.Info("a secret was rotated", "secret", secret, "version", token)
}

// newToken is a version's id, a UUID.
func newToken() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, it would end the process
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.ToLower(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
