package endpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

func TestConfigIsChecked(t *testing.T) {
	good := Config{Listen: "127.0.0.1:0", Moto: "http://127.0.0.1:1", Account: "000000000000", Region: "eu-west-1", Dir: t.TempDir(), Mail: t.TempDir()}
	for want, change := range map[string]func(*Config){
		"Region is empty":            func(c *Config) { c.Region = "" },
		"not on the loopback":        func(c *Config) { c.Listen = "0.0.0.0:80" },
		"missing port in address":    func(c *Config) { c.Listen = "127.0.0.1" },
		"moto's address \"nothing\"": func(c *Config) { c.Moto = "nothing" },
	} {
		c := good
		change(&c)
		if err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestRun(t *testing.T) {
	moto := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "moto") }))
	defer moto.Close()
	address := freeport.Address(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Listen: address, Moto: moto.URL, Account: "000000000000", Region: "eu-west-1", Dir: t.TempDir(), Mail: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	}()
	if err := dialable(ctx, address); err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		res, err := http.Get("http://" + address + path) //nolint:noctx // a test
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		b, _ := io.ReadAll(res.Body)
		return string(b)
	}
	if got := get("/healthz"); got != "ok\n" {
		t.Error(got)
	}
	if got := get("/bucket/key"); got != "moto" {
		t.Error(got)
	}
	var recorded struct {
		Recorded []string
		Reasons  map[string]string
	}
	if err := json.Unmarshal([]byte(get("/_local/types")), &recorded); err != nil || len(recorded.Recorded) == 0 || len(recorded.Recorded) != len(recorded.Reasons) {
		t.Errorf("%+v %v", recorded, err)
	}
	client := cloudformation.NewFromConfig(awsConfig("http://"+address, "eu-west-1"))
	if out, err := client.ListStacks(ctx, &cloudformation.ListStacksInput{}); err != nil || len(out.StackSummaries) != 0 {
		t.Error(out, err)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("Run did not end")
	}
}

func TestReview(t *testing.T) {
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // protobuf, in which text is as it is
		user := ""
		for token, u := range map[string]string{"token-of-pod": "system:serviceaccount:ghost:web", "token-of-person": "admin"} {
			if strings.Contains(string(body), token) && strings.Contains(string(body), podIdentityAudience) {
				user = u
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"authenticated":%t,"user":{"username":%q}}}`, user != "", user)
	}))
	defer api.Close()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","clusters":[{"name":"c","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],"current-context":"x","users":[{"name":"u","user":{"token":"t"}}]}`, api.URL)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r := reviewer{path}
	if ns, sa, err := r.review(context.Background(), "token-of-pod"); err != nil || ns != "ghost" || sa != "web" {
		t.Error(ns, sa, err)
	}
	for _, token := range []string{"token-of-person", "token-of-nobody"} {
		if _, _, err := r.review(context.Background(), token); err == nil {
			t.Errorf("%s was accepted", token)
		}
	}
	if _, _, err := (reviewer{path + "x"}).review(context.Background(), "token-of-pod"); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}
