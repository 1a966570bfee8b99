package procnode

import (
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	m := newMounts([]mount{{"/data", "/h/data"}, {"/data/sub/", "/h/sub"}, {"/tmp", "/h/tmp"}, {"/", "/h/root"}})
	for in, want := range map[string]string{
		"/data":                        "/h/data",
		"/data/":                       "/h/data/",
		"/data/x":                      "/h/data/x",
		"/data/sub/x":                  "/h/sub/x",
		"/data/subway":                 "/h/data/subway",
		"/database":                    "/database",
		"x/data":                       "x/data",
		"--path=/data":                 "--path=/h/data",
		"/data:/tmp":                   "/h/data:/h/tmp",
		"/data:/data:/data":            "/h/data:/h/data:/h/data",
		`{"dir":"/data/x","b":"/tmp"}`: `{"dir":"/h/data/x","b":"/h/tmp"}`,
		"file:///data/x":               "file:///h/data/x",
		"pg://h:1/d?a=b&ca=/data/ca":   "pg://h:1/d?a=b&ca=/h/data/ca",
		"https://host/data/x":          "https://host/data/x",
		"a,/tmp;/tmp b /tmp":           "a,/h/tmp;/h/tmp b /h/tmp",
		"cat /data/x > /tmp/y":         "cat /h/data/x > /h/tmp/y",
		"":                             "",
		"/":                            "/",
	} {
		if got := m.rewrite(in); got != want {
			t.Errorf("rewrite(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExpandPlaces(t *testing.T) {
	p := places{ip: "127.10.0.1", dir: "/pods/u", kubeconfig: "/pods/u/kubeconfig", mounts: newMounts([]mount{{"/certs", "/pods/u/volumes/c"}})}
	for in, want := range map[string]string{
		"${IP}:8080":              "127.10.0.1:8080",
		"${DIR}/x":                "/pods/u/x",
		"${KUBECONFIG}":           "/pods/u/kubeconfig",
		"${mount:/certs}":         "/pods/u/volumes/c",
		"${mount:/certs/tls.crt}": "/pods/u/volumes/c/tls.crt",
		"plain":                   "plain",
	} {
		got, err := p.expand(in)
		if err != nil || got != want {
			t.Errorf("expand(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	if _, err := p.expand("${mount:/other}"); err == nil || !strings.Contains(err.Error(), "mounts nothing at /other") {
		t.Errorf("a path that is not mounted: %v", err)
	}
}
