// Package rotate changes the password of an application's database now, and waits until its pods run with the new one.
package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/functions/database/announce"
)

// API is what it needs of Secrets Manager's client.
type API interface {
	RotateSecret(context.Context, *secretsmanager.RotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
}

// Deployments are those of a namespace; client-go's client has it.
type Deployments interface {
	List(context.Context, metav1.ListOptions) (*appsv1.DeploymentList, error)
}

// Rotation is one change of a password.
type Rotation struct {
	Secrets     API
	Deployments Deployments
	// Secret is the path of the secret.
	Secret string
	// Every is the pause between two looks; a second by default.
	Every time.Duration
	// Say is told how far it is; nobody by default.
	Say func(string)
}

// Result is what a rotation did.
type Result struct {
	Secret  string `json:"secret"`
	Version string `json:"version"`
	// Deployments were started anew and run with the password of the version.
	Deployments []string `json:"deployments"`
	// Seconds until the secret had the new password, and until all pods run with it.
	ChangedAfter float64 `json:"changedAfterSeconds"`
	RunsAfter    float64 `json:"runsAfterSeconds"`
}

// Run rotates and waits until pods run with the new password, or ctx ends.
func (r Rotation) Run(ctx context.Context) (Result, error) {
	if r.Say == nil {
		r.Say = func(string) {}
	}
	if r.Every == 0 {
		r.Every = time.Second
	}
	began := time.Now()
	out, err := r.Secrets.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: &r.Secret})
	var missing *smtypes.ResourceNotFoundException
	if errors.As(err, &missing) {
		return Result{}, fmt.Errorf("%s: there is no such secret: the application has no database whose password changes, or its stack is not deployed", r.Secret)
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", r.Secret, err)
	}
	result := Result{Secret: r.Secret, Version: aws.ToString(out.VersionId), Deployments: []string{}}
	r.Say("the function makes a new password")
	if err := r.until(ctx, func() (bool, error) { return r.changed(ctx, result.Version) }); err != nil {
		return result, fmt.Errorf("%s: the password is as before, and works: see the function's log: %w", r.Secret, err)
	}
	result.ChangedAfter = time.Since(began).Seconds()
	r.Say("pods are started anew")
	err = r.until(ctx, func() (bool, error) {
		names, done, err := r.running(ctx, result.Version)
		result.Deployments = names
		return done && len(names) > 0, err
	})
	result.RunsAfter = time.Since(began).Seconds()
	if err != nil {
		return result, fmt.Errorf("%s has its new password, and not all pods run with it: the former one works until the next rotation: %w", r.Secret, err)
	}
	return result, nil
}

// changed reports whether a version is in use.
func (r Rotation) changed(ctx context.Context, version string) (bool, error) {
	out, err := r.Secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.Secret})
	if err != nil {
		return false, err
	}
	return slices.Contains(out.VersionIdsToStages[version], "AWSCURRENT"), nil
}

// running returns the Deployments that were started for a version, and whether all of their pods are of it.
func (r Rotation) running(ctx context.Context, version string) ([]string, bool, error) {
	all, err := r.Deployments.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, false, err
	}
	names, done := []string{}, true
	for i := range all.Items {
		d := &all.Items[i]
		if d.Spec.Template.Annotations[announce.Annotation] != version {
			continue
		}
		names = append(names, d.Name)
		want := int32(1)
		if d.Spec.Replicas != nil {
			want = *d.Spec.Replicas
		}
		s := d.Status
		done = done && s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == want && s.AvailableReplicas == want && s.Replicas == want
	}
	return names, done, nil
}

// until asks again and again. What fails is asked again, too: the cause is told when the time is over.
func (r Rotation) until(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(r.Every):
		}
	}
}

// String is a line for people.
func (r Result) String() string {
	return fmt.Sprintf("%s: a new password after %.0f s, with which %s runs after %.0f s", r.Secret, r.ChangedAfter, strings.Join(r.Deployments, ", "), r.RunsAfter)
}
