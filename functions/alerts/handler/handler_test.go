package handler

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	topic  = "arn:aws:sns:eu-west-1:111111111111:dev-delivery"
	secret = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:/dev/flux/alerts-token-AbCdEf"
)

// world is AWS: a secret, and a topic that takes messages.
type world struct {
	value string // of the secret; empty: nobody may read it
	down  bool   // SNS does not answer

	reads int
	sent  []url.Values
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") == "secretsmanager.GetSecretValue" {
		w.reads++
		var in struct{ SecretId string }
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.SecretId != secret || w.value == "" {
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(rw, `{"__type": "AccessDeniedException", "Message": "no"}`)
			return
		}
		_ = json.NewEncoder(rw).Encode(map[string]string{"SecretString": w.value})
		return
	}
	if r.ParseForm() != nil || w.down || r.PostForm.Get("Action") != "Publish" {
		rw.WriteHeader(http.StatusForbidden)
		fmt.Fprint(rw, `<ErrorResponse><Error><Type>Sender</Type><Code>KMSAccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
		return
	}
	w.sent = append(w.sent, r.PostForm)
	fmt.Fprint(rw, `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`)
}

// made is the function in a world, at a time that the test moves.
func made(t *testing.T, w *world) (h *handler, later func(time.Duration)) {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"TOPIC": topic, "TOKEN_SECRET": secret, "ENVIRONMENT": "dev"} {
		t.Setenv(name, value)
	}
	now := time.Now()
	h = newHandler(aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, func() time.Time { return now })
	return h, func(d time.Duration) { now = now.Add(d) }
}

// failed is an event as notification-controller writes it.
const failed = `{"involvedObject":{"kind":"Kustomization","namespace":"flux-system","name":"apps","uid":"1","apiVersion":"kustomize.toolkit.fluxcd.io/v1"},"severity":"error","timestamp":"2026-12-01T10:00:00Z",` +
	`"message":"health check failed after 5m0s: Deployment/ghost/ghost status: 'Failed'","reason":"HealthCheckFailed","metadata":{"environment":"dev","revision":"main@sha1:0123abc"},"reportingController":"kustomize-controller"}`

func signature(key, body string) string {
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(sum.Sum(nil))
}

// call is a call of the function's URL.
func call(body, signature string) events.LambdaFunctionURLRequest {
	r := events.LambdaFunctionURLRequest{Body: body, Headers: map[string]string{"x-signature": signature}}
	r.RequestContext.HTTP.Method = http.MethodPost
	return r
}

func TestPublishes(t *testing.T) {
	w := &world{value: `{"token": "key"}`}
	h, _ := made(t, w)
	encoded := call(base64.StdEncoding.EncodeToString([]byte(failed)), signature("key", failed))
	encoded.IsBase64Encoded = true
	other := strings.Replace(failed, `"apps"`, `"services"`, 1)
	for _, r := range []events.LambdaFunctionURLRequest{encoded, call(other, signature("key", other))} {
		if got, err := h.handle(t.Context(), r); err != nil || got.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v", got.StatusCode, err)
		}
	}
	if len(w.sent) != 2 || w.reads != 1 {
		t.Fatalf("%d messages of 2 events, %d reads of the secret", len(w.sent), w.reads)
	}
	if got := w.sent[0].Get("TopicArn"); got != topic {
		t.Errorf("topic %s", got)
	}
	if got, want := w.sent[0].Get("Subject"), "FLUX ERROR dev: Kustomization flux-system/apps: HealthCheckFailed"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	for _, part := range []string{"Environment: dev\n", "Revision:    main@sha1:0123abc\n", "Severity:    error\n", "Time:        2026-12-01T10:00:00Z\n",
		"health check failed after 5m0s: Deployment/ghost/ghost status: 'Failed'\n", "kubectl -n flux-system describe kustomization/apps\n", "bin/gitops status dev\n"} {
		if !strings.Contains(w.sent[0].Get("Message"), part) {
			t.Errorf("no %q in\n%s", part, w.sent[0].Get("Message"))
		}
	}
}

// What Flux has not signed goes nowhere, and the caller hears nothing but a status.
func TestRefuses(t *testing.T) {
	good := signature("key", failed)
	get := call(failed, good)
	get.RequestContext.HTTP.Method = http.MethodGet
	unencoded := call("%", good)
	unencoded.IsBase64Encoded = true
	large := strings.Repeat("x", largest+1)
	for name, c := range map[string]struct {
		request events.LambdaFunctionURLRequest
		want    int
	}{
		"no signature":    {call(failed, ""), http.StatusUnauthorized},
		"no prefix":       {call(failed, strings.TrimPrefix(good, "sha256=")), http.StatusUnauthorized},
		"another hash":    {call(failed, "sha512="+good[7:]), http.StatusUnauthorized},
		"no hex":          {call(failed, "sha256=xyz"), http.StatusUnauthorized},
		"a part of it":    {call(failed, good[:len(good)-2]), http.StatusUnauthorized},
		"of another key":  {call(failed, signature("", failed)), http.StatusUnauthorized},
		"of another body": {call(failed+" ", good), http.StatusUnauthorized},
		"too large":       {call(large, signature("key", large)), http.StatusRequestEntityTooLarge},
		"no JSON":         {call("hello", signature("key", "hello")), http.StatusBadRequest},
		"no event":        {call(`{"message": "a"}`, signature("key", `{"message": "a"}`)), http.StatusBadRequest},
		"no base64":       {unencoded, http.StatusBadRequest},
		"no POST":         {get, http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{value: `{"token": "key"}`}
			h, _ := made(t, w)
			got, err := h.handle(t.Context(), c.request)
			if err != nil || got.StatusCode != c.want || strings.TrimSpace(got.Body) != http.StatusText(c.want) {
				t.Errorf("%d %q, %v; want %d", got.StatusCode, got.Body, err, c.want)
			}
			if len(w.sent) != 0 {
				t.Errorf("sent %v", w.sent)
			}
		})
	}
}

// A newer key holds without a restart, and wrong signatures do not read the secret again and again.
func TestRotation(t *testing.T) {
	w := &world{value: `{"token": "old"}`}
	h, later := made(t, w)
	status := func(key string) int {
		t.Helper()
		got, err := h.handle(t.Context(), call(failed, signature(key, failed)))
		if err != nil {
			t.Fatal(err)
		}
		return got.StatusCode
	}
	if got := status("old"); got != http.StatusOK {
		t.Errorf("the key: %d", got)
	}
	w.value = `{"token": "new"}`
	if got := []int{status("wrong"), status("new")}; !slices.Equal(got, []int{http.StatusUnauthorized, http.StatusUnauthorized}) || w.reads != 1 {
		t.Errorf("within the pause: %v, %d reads", got, w.reads)
	}
	later(pause)
	if got := []int{status("new"), status("old"), status("old")}; !slices.Equal(got, []int{http.StatusOK, http.StatusUnauthorized, http.StatusUnauthorized}) || w.reads != 2 {
		t.Errorf("after it: %v, %d reads", got, w.reads)
	}
}

// What does not work is an error of the function, which Flux answers with another attempt, and holds no secret.
func TestFails(t *testing.T) {
	for name, c := range map[string]struct {
		world world
		want  string
	}{
		"nobody may read the secret": {world{}, "AccessDenied"},
		"an empty key":               {world{value: `{"token": ""}`}, "must be JSON with the key token"},
		"another secret":             {world{value: "hidden"}, "must be JSON with the key token"},
		"nobody may publish":         {world{value: `{"token": "hidden"}`, down: true}, "KMSAccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := made(t, &c.world)
			if _, err := h.handle(t.Context(), call(failed, signature("hidden", failed))); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// The same is told once an hour, what was not sent is sent by the next attempt, and what differs is another event.
func TestTold(t *testing.T) {
	w := &world{value: `{"token": "key"}`, down: true}
	h, later := made(t, w)
	tell := func(body string, want int) {
		t.Helper()
		_, _ = h.handle(t.Context(), call(body, signature("key", body)))
		if len(w.sent) != want {
			t.Errorf("%d sent, want %d", len(w.sent), want)
		}
	}
	tell(failed, 0)
	w.down = false
	tell(failed, 1)
	later(5 * time.Minute)
	tell(strings.Replace(failed, "T10:00:00Z", "T10:05:00Z", 1), 1)
	tell(strings.Replace(failed, "0123abc", "4567def", 1), 2)
	later(quiet)
	tell(failed, 3)
	if len(h.told.at) != 1 {
		t.Errorf("it keeps %d events, want the last", len(h.told.at))
	}
}

// A subject is what SNS takes, whatever the names are.
func TestSubject(t *testing.T) {
	var e event
	e.InvolvedObject.Kind, e.InvolvedObject.Namespace, e.InvolvedObject.Name = "HelmRelease", "a\nb", strings.Repeat("ü", 100)
	got := e.subject("dev")
	if !strings.HasPrefix(got, "FLUX EVENT dev: HelmRelease a?b/???") || len(got) != subjectLimit || !strings.HasSuffix(got, "...") {
		t.Errorf("%q, %d characters", got, len(got))
	}
}

// Without its variables the function does not start.
func TestServe(t *testing.T) {
	t.Setenv("TOPIC", topic)
	t.Setenv("TOKEN_SECRET", "")
	if err := Serve(aws.Config{}); err == nil || err.Error() != "TOKEN_SECRET: must be set" {
		t.Errorf("got %v", err)
	}
}
