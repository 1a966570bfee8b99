package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/functions/alerts/handler"
	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/endpoint/moto/mototest"
)

// TestMain is also the program of the functions: with the Runtime API it does what its handler is called.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	if os.Args[len(os.Args)-1] == "alerts" {
		fmt.Fprintln(os.Stderr, handler.Serve(AWS()))
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, event map[string]string) (map[string]string, error) {
		switch os.Args[len(os.Args)-1] {
		case "answers":
			_, inherited := os.LookupEnv("HOME")
			event["key"], event["own"] = os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("OWN")
			if _, limited := ctx.Deadline(); inherited || !limited {
				return nil, errors.New("the environment is not that of Lambda")
			}
			return event, nil
		case "fails":
			return nil, errors.New("it does not work")
		case "ends":
			os.Exit(3)
		}
		time.Sleep(time.Hour)
		return nil, nil
	})
}

// Each function runs as its template says, with the credentials of its role and none of this process' variables.
func TestInvoke(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Program: []string{program}, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler),
		Assume: func(_ context.Context, role, _ string) (front.Credentials, error) {
			return front.Credentials{AccessKeyID: "key of " + role}, nil
		},
		Functions: func() []map[string]any {
			var all []map[string]any
			for _, name := range []string{"answers", "fails", "ends", "sleeps"} {
				all = append(all, map[string]any{"FunctionName": name, "Handler": name, "Role": "role-" + name, "Timeout": map[bool]string{true: "1", false: "240"}[name == "sleeps"],
					"Environment": map[string]any{"Variables": map[string]any{"OWN": "mine"}}})
			}
			return all
		},
	}
	const arn = "arn:aws:lambda:eu-west-1:000000000000:function:"
	answer, err := r.Invoke(t.Context(), arn+"answers", []byte(`{"a": "b"}`))
	var got map[string]string
	if err != nil || json.Unmarshal(answer, &got) != nil || got["a"] != "b" || got["key"] != "key of role-answers" || got["own"] != "mine" {
		t.Errorf("got %s, %v", answer, err)
	}
	for name, want := range map[string]string{
		"fails": "it does not work", "ends": "its process ended without an answer", "sleeps": "timed out after 1s", "other": "function not found",
	} {
		if _, err := r.Invoke(t.Context(), arn+name, []byte(`{}`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// A rotation calls the function of the secret for each step, and one that was cut off goes on before another one begins.
func TestRotate(t *testing.T) {
	client := secretsmanager.NewFromConfig(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(mototest.New(t).URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	secret, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("/test/a"), SecretString: aws.String("{}")})
	if err != nil {
		t.Fatal(err)
	}
	calls := make(chan map[string]string, 20)
	r := &Rotations{Secrets: client, Log: slog.New(slog.DiscardHandler),
		Schedules: func() []map[string]any {
			return []map[string]any{{"SecretId": *secret.ARN, "RotationLambdaARN": "arn:f"}}
		},
		Invoke: func(_ context.Context, arn string, event []byte) ([]byte, error) {
			call := map[string]string{"function": arn}
			if err := json.Unmarshal(event, &call); err != nil {
				t.Error(err)
			}
			calls <- call
			return nil, nil
		},
	}
	expect := func(version string) {
		t.Helper()
		for _, step := range steps {
			if call := <-calls; call["function"] != "arn:f" || call["Step"] != step || call["SecretId"] != *secret.ARN || call["ClientRequestToken"] != version {
				t.Errorf("called with %v, want step %s of %s", call, step, version)
			}
		}
	}
	out, err := r.Rotate(t.Context(), "/test/a", "")
	if err != nil || len(out.VersionID) != 36 || out.Name != "/test/a" {
		t.Fatalf("got %+v, %v", out, err)
	}
	expect(out.VersionID)
	cut := strings.Repeat("c", 36)
	if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: secret.ARN, ClientRequestToken: &cut, SecretString: aws.String("{}"), VersionStages: []string{"AWSPENDING"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(t.Context(), "/test/a", strings.Repeat("n", 36)); err == nil || !strings.Contains(err.Error(), "A previous rotation isn't complete") {
		t.Errorf("got %v", err)
	}
	expect(cut)
	other, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("/test/b"), SecretString: aws.String("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(t.Context(), *other.ARN, ""); err == nil || !strings.Contains(err.Error(), "Lambda function ARN") {
		t.Errorf("without a schedule: got %v", err)
	}
	if !slices.Equal(steps, []string{"createSecret", "setSecret", "testSecret", "finishSecret"}) || len(calls) > 0 {
		t.Errorf("%d more calls", len(calls))
	}
}
