//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/observe"
)

// served is what the services answer with what they have in AWS.
const served = `{"row":"a kettle","object":"a receipt","message":"order 1"}`

// needs adds services with a database, a bucket and a queue of their own where services are published by merge: one file each,
// one commit. Once that is deployed, they answer with what is in all three, and may do nothing else. One of them changes, is
// removed, and is brought back from its snapshot.
func (s *system) needs(ctx context.Context) (string, error) {
	if err := s.publishByMerge(ctx, true); err != nil {
		return "", err
	}
	for name, more := range map[string][]string{"orders": {"--database", "mysql", "--cache"}, "ledger": {"--database", "postgres"}} {
		if err := s.addNeeds(ctx, name, more...); err != nil {
			return "", err
		}
	}
	all, err := s.merge(ctx, "Add orders and ledger")
	if err != nil {
		return "", err
	}
	if err := skipsStages(all[0], "KubernetesFirst", "Network", "Delivery"); err != nil {
		return "", err
	}
	for name, path := range map[string]string{"orders": "/", "ledger": "/"} {
		// The deployment has published it, and waited until it runs.
		if l, err := s.service(ctx, name); err != nil || l.Ready != "True" || l.Applied != l.Commit {
			return "", fmt.Errorf("after the deployment: %+v, %w", l, err)
		}
		if err := s.answers(ctx, name, path, served); err != nil {
			return "", err
		}
	}
	if err := s.answers(ctx, "orders", "/cached", `{"cached":"a cup"}`); err != nil {
		return "", err
	}
	for _, step := range []func(context.Context) error{s.confined, s.connects, s.renews, s.grows, s.leavesData, s.broughtBack} {
		if err := step(ctx); err != nil {
			return "", err
		}
	}
	return took(all), s.publishByMerge(ctx, false)
}

// addNeeds writes the file of a service that answers with what it has in AWS.
func (s *system) addNeeds(ctx context.Context, name string, more ...string) error {
	_, err := s.gitops(ctx, append([]string{"service", "add", name, "--image", "ghcr.io/nodezoo/nodezoo-orders:1.0.0", "--health", "/healthz",
		"--host", name, "--bucket", "--queue"}, more...)...)
	return err
}

// merge commits and pushes, and returns the one deployment that followed.
func (s *system) merge(ctx context.Context, message string) ([]pipelines.Shown, error) {
	if err := s.commit(ctx, message); err != nil {
		return nil, err
	}
	if err := s.push(ctx, message); err != nil {
		return nil, err
	}
	return s.ran(ctx, "deploy Succeeded")
}

// answers waits until a service answers with a text.
func (s *system) answers(ctx context.Context, name, path, want string) error {
	return until(ctx, patient, name+" to answer "+want, func() error {
		code, body, err := s.get(ctx, name, path)
		if err == nil && (code != 200 || strings.TrimSpace(body) != want) {
			err = fmt.Errorf("%s answers %d %.300s, want %s", name, code, body, want)
		}
		return err
	})
}

// confined tries with the credentials of the pods of orders what belongs to ledger.
func (s *system) confined(ctx context.Context) error {
	c, err := s.aws()
	if err != nil {
		return err
	}
	kube, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	token, err := kube.Kube.CoreV1().ServiceAccounts("orders").CreateToken(ctx, "orders",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"pods.eks.amazonaws.com"}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	pods := c.Copy()
	pods.Credentials = endpointcreds.New(aws.ToString(c.BaseEndpoint)+"/_local/credentials", func(o *endpointcreds.Options) { o.AuthorizationToken = token.Status.Token })
	buckets, queues := s3.NewFromConfig(pods, func(o *s3.Options) { o.UsePathStyle = true }), sqs.NewFromConfig(pods)
	mine := []string{"local-orders", "/local/orders/database"}
	theirs := []string{"local-ledger", "/local/ledger/database"}
	for _, of := range [][]string{mine, theirs} {
		own := of[0] == mine[0]
		bucket, queue, err := s.places(ctx, strings.TrimPrefix(of[0], "local-"))
		if err != nil {
			return err
		}
		_, err = buckets.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("x"), Body: strings.NewReader("x")})
		if err := allowed(own, "bucket "+bucket, err); err != nil {
			return err
		}
		_, err = queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queue})
		if err := allowed(own, "queue "+queue, err); err != nil {
			return err
		}
		// External Secrets reads them; no pod does, its own neither.
		_, err = secretsmanager.NewFromConfig(pods).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &of[1]})
		if err := allowed(false, "secret "+of[1], err); err != nil {
			return err
		}
	}
	_, err = buckets.ListBuckets(ctx, &s3.ListBucketsInput{})
	return allowed(false, "all buckets", err)
}

// places are the bucket and the queue of a service, as its pods know them.
func (s *system) places(ctx context.Context, name string) (bucket, queue string, err error) {
	kube, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", "", err
	}
	d, err := kube.Kube.AppsV1().Deployments(name).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", "", err
	}
	for _, e := range d.Spec.Template.Spec.Containers[0].Env {
		switch e.Name {
		case "BUCKET_NAME":
			bucket = e.Value
		case "QUEUE_URL":
			queue = e.Value
		}
	}
	return bucket, queue, nil
}

// allowed fails unless a call was allowed or refused as it should have been.
func allowed(want bool, what string, err error) error {
	var api smithy.APIError
	denied := errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "AccessDenied")
	if want != (err == nil) || !want && !denied {
		return fmt.Errorf("the pods of orders at %s: allowed must be %v, got %w", what, want, err)
	}
	return nil
}

// connects runs statements in the database and the cache by the clients of this machine.
func (s *system) connects(ctx context.Context) error {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"", []string{"orders", "--", "UPDATE orders SET what = 'a teapot' WHERE id = 1"}},
		{"a teapot", []string{"orders", "--", "SELECT what FROM orders"}},
		{"a kettle", []string{"ledger", "--", "SELECT what FROM orders"}},
		{"a cup", []string{"orders", "--cache", "--", "GET", "orders/1"}},
	} {
		if c.args[0] == "ledger" {
			if _, err := exec.LookPath("psql"); err != nil {
				continue // the server comes from npm, without its client
			}
		}
		out, err := s.gitops(ctx, append([]string{"service", "connect", "--env", "local"}, c.args...)...)
		if err == nil && !strings.Contains(out, c.want) {
			err = fmt.Errorf("connect %s says %s, want %s", strings.Join(c.args, " "), out, c.want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// grows changes the size of the database and a variable.
func (s *system) grows(ctx context.Context) error {
	if err := s.edit("k8s/services/orders.yaml", "engine: mysql", "engine: mysql, instanceClass: db.t4g.medium"); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.repo, "k8s/services/orders.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString("environment: {TITLE: larger}\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if _, err := s.merge(ctx, "Let orders grow"); err != nil {
		return err
	}
	c, err := s.aws()
	if err != nil {
		return err
	}
	out, err := rds.NewFromConfig(c).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String("local-orders")})
	if err == nil && aws.ToString(out.DBInstances[0].DBInstanceClass) != "db.t4g.medium" {
		err = fmt.Errorf("the database is a %s", aws.ToString(out.DBInstances[0].DBInstanceClass))
	}
	if err != nil {
		return err
	}
	return s.answers(ctx, "orders", "/title", `{"title":"larger"}`)
}

// broughtBack removes the stack, too, and makes it again from a snapshot.
func (s *system) broughtBack(ctx context.Context) error {
	c, err := s.aws()
	if err != nil {
		return err
	}
	if _, err := rds.NewFromConfig(c).CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
		DBInstanceIdentifier: aws.String("local-orders"), DBSnapshotIdentifier: aws.String("orders-last"),
	}); err != nil {
		return err
	}
	if _, err := s.gitops(ctx, "teardown", "local", "--stack", "orders", "--yes"); err != nil {
		return err
	}
	if err := s.addNeeds(ctx, "orders", "--database", "mysql"); err != nil {
		return err
	}
	if err := s.edit("k8s/services/orders.yaml", "engine: mysql", "engine: mysql, snapshot: orders-last"); err != nil {
		return err
	}
	if _, err := s.merge(ctx, "Bring orders back"); err != nil {
		return err
	}
	if err := s.answers(ctx, "orders", "/", strings.Replace(served, "a kettle", "a teapot", 1)); err != nil {
		return err
	}
	for _, name := range []string{"orders", "ledger"} {
		if _, err := s.gitops(ctx, "service", "remove", name); err != nil {
			return err
		}
	}
	if _, err := s.merge(ctx, "Remove orders and ledger"); err != nil {
		return err
	}
	for _, name := range []string{"orders", "ledger"} {
		if _, err := s.gitops(ctx, "service", "remove", name, "--env", "local"); err != nil {
			return err
		}
		if _, err := s.gitops(ctx, "teardown", "local", "--stack", name, "--yes"); err != nil {
			return err
		}
	}
	return nil
}

// reachesForAnothers merges services that ask for what belongs to another one. They are refused by Plan, before anything is made.
func (s *system) reachesForAnothers(ctx context.Context) (string, error) {
	const head = "image: ghcr.io/nodezoo/nodezoo-orders:1.0.0\nport: 8080\n"
	files := map[string]string{
		"bucket": "aws:\n  policy: [{actions: [s3:GetObject], resources: [\"arn:aws:s3:::local-npm-files-${AWS_ACCOUNT_ID}-${AWS_REGION}/*\"]}]\n",
		"queue":  "aws:\n  policy: [{actions: [sqs:SendMessage], resources: [\"arn:aws:sqs:${AWS_REGION}:${AWS_ACCOUNT_ID}:local-npm\"]}]\n",
		"secret": "secrets: {PASSWORD: {path: \"/local/npm/database\", key: password}}\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.repo, "k8s/services", "takes-"+name+".yaml"), []byte(head+content), 0o644); err != nil {
			return "", err
		}
	}
	if err := s.commit(ctx, "Take what is another's"); err != nil {
		return "", err
	}
	pushed := s.push(ctx, "Take what is another's")
	all, err := s.ran(ctx, "deploy Failed")
	if err != nil {
		return "", err
	}
	for name := range files {
		if pushed == nil || !strings.Contains(strings.Join(all[0].LogTail, "\n")+pushed.Error(), "takes-"+name+".yaml") {
			return "", fmt.Errorf("another's %s is not refused by name: %w: %s", name, pushed, strings.Join(all[0].LogTail, "\n"))
		}
		if err := os.Remove(filepath.Join(s.repo, "k8s/services", "takes-"+name+".yaml")); err != nil {
			return "", err
		}
	}
	if all[0].Stage != "Plan" {
		return "", fmt.Errorf("the deployment went on to %s", all[0].Stage)
	}
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	out, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil {
		return "", err
	}
	for _, stack := range out.Stacks {
		if strings.Contains(aws.ToString(stack.StackName), "takes-") {
			return "", fmt.Errorf("stack %s was made", aws.ToString(stack.StackName))
		}
	}
	_, err = s.merge(ctx, "Take nothing")
	return all[0].Reason, err
}

// publishByMerge lets the deployment publish the services, or their tags again. The pipeline changes itself by it, and deploys
// the commit again.
func (s *system) publishByMerge(ctx context.Context, merge bool) error {
	from, to, message := `manifests.git"}`, `manifests.git", publish: merge}`, "Publish services by merge"
	if !merge {
		from, to, message = to, from, "Publish services by tag"
	}
	if err := s.edit("k8s/fleet/fleet.yaml", from, to); err != nil {
		return err
	}
	if err := s.commit(ctx, message); err != nil {
		return err
	}
	if err := s.push(ctx, message); err != nil {
		return err
	}
	return until(ctx, 15*time.Minute, "the changed pipeline to deploy the commit", func() error {
		_, err := s.ranAtLeast(ctx, []string{"deploy Cancelled", "deploy Succeeded"})
		return err
	})
}

// leavesData removes the service again.
func (s *system) leavesData(ctx context.Context) error {
	if _, err := s.gitops(ctx, "service", "remove", "orders"); err != nil {
		return err
	}
	if err := s.commit(ctx, "Remove orders"); err != nil {
		return err
	}
	if err := s.push(ctx, "Remove orders"); err != nil {
		return err
	}
	// Its pods go before the tie to their role does.
	all, err := s.ran(ctx, "deploy Succeeded")
	if err != nil {
		return err
	}
	if err := skipsStages(all[0], "Network", "Applications", "Delivery", "Release"); err != nil {
		return err
	}
	if _, err := s.gitops(ctx, "service", "remove", "orders", "--env", "local"); err != nil {
		return err
	}
	c, err := s.aws()
	if err != nil {
		return err
	}
	out, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("local-orders")})
	if err == nil && out.Stacks[0].StackStatus != "UPDATE_COMPLETE" { // it has grown
		err = fmt.Errorf("the stack of a service that was removed is %s", out.Stacks[0].StackStatus)
	}
	return err
}
