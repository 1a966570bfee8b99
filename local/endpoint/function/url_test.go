package function

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// What Flux signs goes through the function's URL to who has subscribed to the topic, by the program that runs on AWS.
func TestURL(t *testing.T) {
	moto := mototest.New(t).URL
	c := aws.Config{Region: "eu-west-1", BaseEndpoint: &moto, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	secret, err := secretsmanager.NewFromConfig(c).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("/local/flux/alerts-token"), SecretString: aws.String(`{"token": "key"}`)})
	if err != nil {
		t.Fatal(err)
	}
	topic, err := sns.NewFromConfig(c).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("local-delivery")})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{ Subject, Message string }, 10)
	subscriber := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ Subject, Message string }
		if json.NewDecoder(r.Body).Decode(&m) == nil && m.Subject != "" {
			heard <- m
		}
	}))
	t.Cleanup(subscriber.Close)
	if _, err := sns.NewFromConfig(c).Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("http"), Endpoint: &subscriber.URL}); err != nil {
		t.Fatal(err)
	}
	address := served(t, moto, map[string]any{"TOPIC": *topic.TopicArn, "TOKEN_SECRET": *secret.ARN, "ENVIRONMENT": "local"})
	const event = `{"involvedObject": {"kind": "Kustomization", "namespace": "flux-system", "name": "apps"}, "severity": "error", "reason": "BuildFailed", "message": "it does not build"}`
	for _, call := range []struct {
		path, key string
		want      int
	}{{"local-flux_alerts/", "other", http.StatusUnauthorized}, {"local-flux_alerts/", "key", http.StatusOK}, {"local-ghost_database/", "key", http.StatusForbidden}} {
		if got := post(t, address+resources.FunctionURLPath+call.path, event, call.key); got != call.want {
			t.Errorf("%s with %s: %d, want %d", call.path, call.key, got, call.want)
		}
	}
	if len(heard) != 1 {
		t.Fatalf("%d messages, want 1", len(heard))
	}
	if m := <-heard; m.Subject != "FLUX ERROR local: Kustomization flux-system/apps: BuildFailed" || !strings.Contains(m.Message, "it does not build") {
		t.Errorf("heard %+v", m)
	}
}

// served is an endpoint with the function of alerts, which has a URL, and one that has none.
func served(t *testing.T, moto string, variables map[string]any) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:lambda:eu-west-1:000000000000:function:local-flux_alerts"
	log := slog.New(slog.DiscardHandler)
	runner := &Runner{Program: []string{program}, Region: "eu-west-1", Log: log, Env: []string{"AWS_ENDPOINT_URL=" + moto},
		Assume: func(context.Context, string, string) (front.Credentials, error) {
			return front.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		},
		Functions: func() []map[string]any {
			return []map[string]any{{"FunctionName": "local-flux_alerts", "Handler": "alerts", "Timeout": "240", "Environment": map[string]any{"Variables": variables}}, {"FunctionName": "local-ghost_database"}}
		},
	}
	server := httptest.NewServer(URLs{Stacks: func() []map[string]any { return []map[string]any{{"TargetFunctionArn": arn}} }, Invoke: runner.Invoke, Log: log})
	t.Cleanup(server.Close)
	return server.URL
}

// post sends an event as notification-controller does, and returns the status.
func post(t *testing.T, address, body, key string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(sum, body)
	r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(sum.Sum(nil)))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
