package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/util/cert"
)

// prepare makes, or keeps, everything that the components read: certificates, keys, kubeconfigs and the egress
// configuration. All of it is private to the user. It returns what trusts kube-apiserver's certificate.
func prepare(o options) (*x509.CertPool, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(o.kubeconfig), 0o755); err != nil {
		return nil, err
	}
	if err := ensurePKI(o); err != nil {
		return nil, fmt.Errorf("certificates in %s: %w", o.path("pki"), err)
	}
	if err := writeKubeconfigs(o); err != nil {
		return nil, err
	}
	if err := errors.Join(writeEgress(o), writeTokenWebhook(o)); err != nil {
		return nil, err
	}
	return cert.NewPool(o.path("pki", "ca.crt"))
}

// writeEgress makes kube-apiserver dial the addresses of pods, services and nodes through the proxy at the
// socket. https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/
func writeEgress(o options) error {
	if o.egressSocket == "" {
		return nil
	}
	return writeFile(o.path("egress.yaml"), fmt.Appendf(nil, `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: %q
`, o.egressSocket))
}

// writeTokenWebhook makes kube-apiserver ask about tokens that are none of its own.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication
func writeTokenWebhook(o options) error {
	if o.tokenWebhook == "" {
		return nil
	}
	return writeFile(o.path("token-webhook.yaml"), fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: webhook
  cluster:
    server: %q
users:
- name: kube-apiserver
contexts:
- name: webhook
  context:
    cluster: webhook
    user: kube-apiserver
current-context: webhook
`, o.tokenWebhook))
}

// writeFile replaces a file in one step, readable by the user only.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
