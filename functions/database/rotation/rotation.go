// Package rotation changes the password of an application's database without a failed request. The application has two
// users with the same rights, of which its secret names one. A rotation gives the other one a new password and then names it,
// so what still runs with the former password works until the next rotation.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets_strategies.html
package rotation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Labels of a secret's versions.
const (
	current = "AWSCURRENT"
	pending = "AWSPENDING"
)

// The steps of a rotation, in this order.
const (
	CreateSecret = "createSecret"
	SetSecret    = "setSecret"
	TestSecret   = "testSecret"
	FinishSecret = "finishSecret"
)

// clone ends the name of the second user, as in AWS's own rotation functions.
const clone = "_clone"

// passwordLength of letters and digits gives 190 bits, and needs no quoting anywhere.
const passwordLength = 32

// Secrets is what a rotation needs of Secrets Manager's client.
type Secrets interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// Event is what Secrets Manager calls a rotation function with, once for each step.
type Event struct {
	Step, SecretId, ClientRequestToken string //nolint:revive // Secrets Manager's names
}

// Rotator rotates one secret.
type Rotator struct {
	Secrets Secrets
	// Secret is the ARN of the application's secret, Master that of the secret of the instance's administrator.
	Secret, Master string
	// Shared is the name of the database on an instance that applications share, where it is made with its user. Empty: the instance
	// has the one database that the secret names.
	Shared string
	// Authorities are the certificates, in PEM, by which the server is known.
	Authorities []byte
	// Announce tells whoever uses the secret of its new version; nil for nobody.
	Announce func(ctx context.Context, version string) error
}

// Rotate does one step. A step may be repeated: it then does what is left to do.
func (r *Rotator) Rotate(ctx context.Context, e Event) error {
	if e.SecretId != r.Secret {
		return fmt.Errorf("the secret must be %s, got %q", r.Secret, e.SecretId)
	}
	steps := map[string]func(ctx context.Context, version, now string) error{
		CreateSecret: r.create, SetSecret: r.set, TestSecret: r.test, FinishSecret: r.finish,
	}
	step, ok := steps[e.Step]
	if !ok {
		return fmt.Errorf("the step must be one of %s, got %q", strings.Join(slices.Sorted(maps.Keys(steps)), ", "), e.Step)
	}
	now, err := r.current(ctx)
	if err == nil && (now != e.ClientRequestToken || e.Step == FinishSecret) { // else the version is in use, and the step has been done
		err = step(ctx, e.ClientRequestToken, now)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.Step, err)
	}
	return nil
}

// Ensure makes the user that the secret names now, with its password and its rights; on a shared instance the database, too.
func (r *Rotator) Ensure(ctx context.Context) error {
	login, err := r.read(ctx, r.Secret, "", current)
	if err != nil {
		return err
	}
	// CloudFormation's attachment may have put the instance's first database there.
	if r.Shared != "" && login.text("dbname") != r.Shared {
		login["dbname"] = r.Shared
		if err := r.write(ctx, login, nil, current); err != nil {
			return err
		}
	}
	return r.give(ctx, login)
}

// create puts the other user with a new password into the pending version, unless it is there.
func (r *Rotator) create(ctx context.Context, version, _ string) error {
	_, err := r.read(ctx, r.Secret, version, pending)
	var missing *smtypes.ResourceNotFoundException // also of a version without a value, which Secrets Manager makes first
	if !errors.As(err, &missing) {
		return err
	}
	next, err := r.read(ctx, r.Secret, "", current)
	if err != nil {
		return err
	}
	password, err := newPassword()
	if err != nil {
		return err
	}
	next = maps.Clone(next)
	next["username"], next["password"] = other(next.text("username")), password
	return r.write(ctx, next, &version, pending)
}

// set gives the pending version's user its password and its rights. It does not touch the user that is in use.
func (r *Rotator) set(ctx context.Context, version, _ string) error {
	next, err := r.read(ctx, r.Secret, version, pending)
	if err != nil {
		return err
	}
	now, err := r.read(ctx, r.Secret, "", current)
	if err != nil {
		return err
	}
	for _, key := range []string{"engine", "host", "port", "dbname"} {
		if now.text(key) != next.text(key) {
			return fmt.Errorf("the pending version must have the %s of the current one, got %q in the place of %q", key, next.text(key), now.text(key))
		}
	}
	if next.text("username") != other(now.text("username")) {
		return fmt.Errorf("the pending version must name the user %q, got %q", other(now.text("username")), next.text("username"))
	}
	return r.give(ctx, next)
}

// test signs in as the pending version says.
func (r *Rotator) test(ctx context.Context, version, _ string) error {
	next, err := r.read(ctx, r.Secret, version, pending)
	if err != nil {
		return err
	}
	return r.signIn(ctx, next)
}

// finish makes the pending version the current one, and tells the pods. It tells them again when it is repeated: the first
// attempt may have ended between the two.
func (r *Rotator) finish(ctx context.Context, version, now string) error {
	if now != version {
		if _, err := r.Secrets.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: &r.Secret, VersionStage: aws.String(current), MoveToVersionId: &version, RemoveFromVersionId: &now,
		}); err != nil {
			return err
		}
	}
	if r.Announce == nil {
		return nil
	}
	return r.Announce(ctx, version)
}

// give makes a user with the password and the rights that it needs, as the administrator.
func (r *Rotator) give(ctx context.Context, login credentials) error {
	as, err := r.administrator(ctx, login)
	if err != nil {
		return err
	}
	of := owner{login.text("dbname"), as.text("username"), login.text("username"), login.text("password")}
	return r.as(ctx, as, func(e engine) ([]statement, error) {
		if r.Shared != "" {
			return e.shares(of)
		}
		return e.users(of)
	})
}

// Remove takes from a shared instance what Ensure made there: it locks both users out, or with drop removes them and the
// database. It may be repeated.
func (r *Rotator) Remove(ctx context.Context, drop bool) error {
	login, err := r.read(ctx, r.Secret, "", current)
	if err != nil {
		return err
	}
	as, err := r.administrator(ctx, login)
	if err != nil {
		return err
	}
	return r.as(ctx, as, func(e engine) ([]statement, error) {
		user := strings.TrimSuffix(login.text("username"), clone)
		if drop {
			return e.drops(r.Shared, user), nil
		}
		return e.locks(user), nil
	})
}

// administrator is the login of the instance's, where the application's secret says.
func (r *Rotator) administrator(ctx context.Context, login credentials) (credentials, error) {
	master, err := r.read(ctx, r.Master, "", current)
	if err != nil {
		return nil, err
	}
	if master.text("username") == login.text("username") {
		return nil, fmt.Errorf("the secret must not name the administrator %q", master.text("username"))
	}
	as := maps.Clone(login)
	as["username"], as["password"] = master["username"], master["password"]
	return as, nil
}

// current returns the id of the version in use.
func (r *Rotator) current(ctx context.Context) (string, error) {
	out, err := r.Secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.Secret})
	if err != nil {
		return "", err
	}
	for id, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, current) {
			return id, nil
		}
	}
	return "", fmt.Errorf("%s has no version %s", r.Secret, current)
}

// other is the user that is not in use.
func other(user string) string {
	if name, is := strings.CutSuffix(user, clone); is {
		return name
	}
	return user + clone
}

// newPassword is one of letters and digits. It begins with a letter: Ghost takes a variable that looks like a number for one.
func newPassword() (string, error) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	for i := range passwordLength {
		from := len(letters)
		if i == 0 {
			from -= 10
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(from)))
		if err != nil {
			return "", err
		}
		b.WriteByte(letters[n.Int64()])
	}
	return b.String(), nil
}
