package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func testOptions(t *testing.T) options {
	t.Helper()
	dir := t.TempDir()
	return options{
		dir: filepath.Join(dir, "control"), kubeconfig: filepath.Join(dir, "kubeconfig"), egressSocket: filepath.Join(dir, "gate.sock"),
		serviceCIDR: "172.20.0.0/16", apiserver: 1, etcd: 2, etcdPeer: 3, grace: time.Second,
	}
}

func TestPrepareKeepsWhatItMade(t *testing.T) {
	o := testOptions(t)
	read := func() map[string]string {
		t.Helper()
		if _, err := prepare(o); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, f := range []string{o.path("pki", "ca.crt"), o.path("pki", "apiserver.crt"), o.path("pki", "sa.key"), o.path("tokens.csv"), o.kubeconfig} {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(f)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v, %v, want 0600", f, info.Mode(), err)
			}
			out[f] = string(b)
		}
		return out
	}
	first, second := read(), read()
	for f, content := range first {
		if second[f] != content {
			t.Errorf("%s changed at the second start", f)
		}
	}
	c, err := clientcmd.LoadFromFile(o.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	token := c.AuthInfos["admin"].Token
	if c.Clusters["local"].Server != "https://127.0.0.1:1" || !strings.Contains(first[o.path("tokens.csv")], token+",admin,admin,system:masters") {
		t.Errorf("kubeconfig %+v does not fit tokens.csv", c.Clusters["local"])
	}
	if _, err := tls.LoadX509KeyPair(o.path("pki", "etcd.crt"), o.path("pki", "etcd.key")); err != nil {
		t.Error(err)
	}
}

func TestCertificatesFollowTheirNames(t *testing.T) {
	o := testOptions(t)
	if _, err := prepare(o); err != nil {
		t.Fatal(err)
	}
	before, err := readCertificate(o.path("pki", "apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := before.VerifyHostname("172.20.0.1"); err != nil {
		t.Error(err)
	}
	o.serviceCIDR = "10.100.0.0/16"
	if _, err := prepare(o); err != nil {
		t.Fatal(err)
	}
	after, err := readCertificate(o.path("pki", "apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := after.VerifyHostname("10.100.0.1"); err != nil {
		t.Error(err)
	}
}

func TestBrokenAuthorityNamesTheFile(t *testing.T) {
	o := testOptions(t)
	if _, err := prepare(o); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.path("pki", "ca.crt"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := prepare(o); err == nil || !strings.Contains(err.Error(), "ca.crt") || !strings.Contains(err.Error(), "remove") {
		t.Errorf("prepare with a broken authority: %v, want the file and the remedy", err)
	}
}

func TestValidate(t *testing.T) {
	good := testOptions(t)
	for name, c := range map[string]struct {
		change func(*options)
		want   string
	}{
		"good":          {func(*options) {}, ""},
		"no directory":  {func(o *options) { o.dir = "" }, "--dir is required"},
		"no kubeconfig": {func(o *options) { o.kubeconfig = "" }, "--kubeconfig is required"},
		"no port":       {func(o *options) { o.etcd = 0 }, "--etcd-port is 0"},
		"a port twice":  {func(o *options) { o.etcdPeer = o.etcd }, "which --etcd-port has"},
		"a long socket": {func(o *options) { o.egressSocket = "/" + strings.Repeat("x", 120) }, "shorter state directory"},
		"no grace":      {func(o *options) { o.grace = 0 }, "--grace is 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			o.egressSocket = ""
			c.change(&o)
			err := o.validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("validate: %v, want %q", err, c.want)
			}
		})
	}
}
