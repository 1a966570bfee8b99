package main

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// credentials are what prepare leaves behind for the rest of the program.
type credentials struct {
	ca *x509.CertPool // trusts kube-apiserver's certificate
}

// identities are the users of tokens.csv, in its order: user name, groups and the kubeconfig that gets the
// token. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file
func identities(o options) []identity {
	return []identity{
		{user: "admin", groups: "system:masters", kubeconfig: o.kubeconfig},
		{user: "system:kube-controller-manager", kubeconfig: o.path("controller-manager.kubeconfig")},
		{user: "system:kube-scheduler", kubeconfig: o.path("scheduler.kubeconfig")},
	}
}

type identity struct{ user, groups, kubeconfig string }

// prepare makes, or keeps, everything that the components read: certificates, keys, tokens, kubeconfigs and
// the egress configuration. All of it is private to the user.
func prepare(o options) (credentials, error) {
	if err := os.MkdirAll(o.path("pki"), 0o700); err != nil {
		return credentials{}, err
	}
	if err := os.MkdirAll(filepath.Dir(o.kubeconfig), 0o755); err != nil {
		return credentials{}, err
	}
	ca, err := ensurePKI(o)
	if err != nil {
		return credentials{}, fmt.Errorf("certificates in %s: %w", o.path("pki"), err)
	}
	if err := ensureTokens(o); err != nil {
		return credentials{}, fmt.Errorf("tokens in %s: %w", o.path("tokens.csv"), err)
	}
	if err := writeEgress(o); err != nil {
		return credentials{}, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return credentials{ca: pool}, nil
}

// ensureTokens keeps the tokens of an earlier start, adds missing ones and writes the kubeconfigs.
func ensureTokens(o options) error {
	file := o.path("tokens.csv")
	have, err := readTokens(file)
	if err != nil {
		return err
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, id := range identities(o) {
		token := have[id.user]
		if token == "" {
			raw := make([]byte, 32)
			if _, err := rand.Read(raw); err != nil {
				return err
			}
			token = hex.EncodeToString(raw)
		}
		if err := w.Write([]string{token, id.user, id.user, id.groups}); err != nil {
			return err
		}
		if err := writeKubeconfig(o, id, token); err != nil {
			return fmt.Errorf("write kubeconfig %s: %w", id.kubeconfig, err)
		}
	}
	w.Flush()
	return writeFile(file, []byte(b.String()))
}

func readTokens(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%w: remove the file to have new tokens made", err)
	}
	tokens := map[string]string{}
	for _, r := range rows {
		if len(r) > 1 {
			tokens[r[1]] = r[0]
		}
	}
	return tokens, nil
}

// writeKubeconfig writes a kubeconfig with the authority's certificate inside, so that it can be copied.
func writeKubeconfig(o options, id identity, token string) error {
	ca, err := os.ReadFile(o.path("pki", "ca.crt"))
	if err != nil {
		return err
	}
	const name = "local"
	c := clientcmdapi.NewConfig()
	c.Clusters[name] = &clientcmdapi.Cluster{Server: o.server(), CertificateAuthorityData: ca}
	c.AuthInfos[id.user] = &clientcmdapi.AuthInfo{Token: token}
	c.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: id.user}
	c.CurrentContext = name
	b, err := clientcmd.Write(*c)
	if err != nil {
		return err
	}
	return writeFile(id.kubeconfig, b)
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
