package announce

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// api stands in for a cluster's API with external-secrets behind it: an ExternalSecret that is annotated is read again.
type api struct {
	t       *testing.T
	objects map[string]object // by path
	patched []string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch o, one := a.objects[r.URL.Path]; {
	case r.Method == http.MethodPatch && one:
		if r.URL.Query().Get("fieldManager") != Manager {
			a.t.Errorf("%s without the field manager", r.URL)
		}
		var change map[string]any
		if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
			a.t.Error(err)
		}
		a.patched = append(a.patched, r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
		if status, ok := o["status"].(map[string]any); ok {
			status["syncedResourceVersion"] = str(change, "metadata", "annotations", refreshAnnotation)
		} else if !ok {
			o["annotated"] = str(change, "spec", "template", "metadata", "annotations", Annotation)
		}
		_ = json.NewEncoder(w).Encode(o)
	case one:
		_ = json.NewEncoder(w).Encode(o)
	default:
		items := []object{}
		for path, o := range a.objects {
			if strings.HasPrefix(path, r.URL.Path+"/") {
				items = append(items, o)
			}
		}
		if len(items) == 0 {
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(object{"message": "nobody may list here"})
			return
		}
		_ = json.NewEncoder(w).Encode(object{"items": items})
	}
}

func parsed(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

const (
	secrets     = "/apis/external-secrets.io/v1/namespaces/shop/externalsecrets"
	deployments = "/apis/apps/v1/namespaces/shop/deployments"
)

func world(t *testing.T) (*api, *kubernetes) {
	t.Helper()
	external := func(name, key string) object {
		return parsed(t, `{"metadata": {"name": "`+name+`"}, "spec": {"dataFrom": [{"extract": {"key": "`+key+`"}}]},
			"status": {"syncedResourceVersion": "1", "conditions": [{"type": "Ready", "status": "True"}]}}`)
	}
	pods := func(name, spec string) object {
		return parsed(t, `{"metadata": {"name": "`+name+`"}, "spec": {"template": {"spec": `+spec+`}}}`)
	}
	a := &api{t: t, objects: map[string]object{
		secrets + "/db":         external("db", "/dev/shop/database-user"),
		secrets + "/token":      external("token", "/dev/shop/token"),
		deployments + "/env":    pods("env", `{"containers": [{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db"}}}]}]}`),
		deployments + "/all":    pods("all", `{"initContainers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]}`),
		deployments + "/file":   pods("file", `{"volumes": [{"secret": {"secretName": "db"}}]}`),
		deployments + "/sealed": pods("sealed", `{"volumes": [{"projected": {"sources": [{"secret": {"name": "db"}}]}}]}`),
		deployments + "/other":  pods("other", `{"containers": [{"envFrom": [{"secretRef": {"name": "token"}}]}]}`),
	}}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, &kubernetes{server.Client(), server.URL}
}

// The secret is read again, and exactly the pods that use it are started anew, after that.
func TestAnnounce(t *testing.T) {
	a, k := world(t)
	for range 2 { // a repeated step
		if err := k.announce(t.Context(), "shop", "/dev/shop/database-user", "v2"); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.patched) != 10 || a.patched[0] != "db" || a.patched[5] != "db" {
		t.Errorf("changed in this order: %v", a.patched)
	}
	for path, o := range a.objects {
		want := ""
		if strings.HasPrefix(path, deployments) && !strings.HasSuffix(path, "/other") {
			want = "v2"
		}
		if got, _ := o["annotated"].(string); got != want {
			t.Errorf("%s is annotated %q, want %q", path, got, want)
		}
	}
}

// Pods are not started anew with the former password: without a new Secret nothing else happens.
func TestAnnounceRefused(t *testing.T) {
	_, k := world(t)
	if err := k.announce(t.Context(), "other", "/dev/other/database-user", "v2"); err == nil || !strings.Contains(err.Error(), "403 Forbidden: nobody may list here") {
		t.Errorf("got %v", err)
	}
}
