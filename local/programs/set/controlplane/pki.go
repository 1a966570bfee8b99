package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/certs"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/kubeconfig"
)

// cluster is this control plane as kubeadm describes one. Keys are of the elliptic curve: RSA keys take a second of each
// first start.
func cluster(o options) *kubeadm.InitConfiguration {
	return &kubeadm.InitConfiguration{
		ClusterConfiguration: kubeadm.ClusterConfiguration{
			ClusterName:         "local",
			CertificatesDir:     o.path("pki"),
			EncryptionAlgorithm: kubeadm.EncryptionAlgorithmECDSAP256,
			Etcd:                kubeadm.Etcd{Local: &kubeadm.LocalEtcd{}},
			Networking:          kubeadm.Networking{ServiceSubnet: o.serviceCIDR, DNSDomain: "cluster.local"},
		},
		LocalAPIEndpoint: kubeadm.APIEndpoint{AdvertiseAddress: "127.0.0.1", BindPort: int32(o.apiserver)},
		NodeRegistration: kubeadm.NodeRegistrationOptions{Name: "localhost"},
	}
}

// ensurePKI makes the authorities and the key of ServiceAccount tokens, or keeps those of an earlier start, and makes the
// certificates that they sign anew: kubeadm takes one that is there as it is, and refuses it when a name has changed.
func ensurePKI(o options) error {
	c := cluster(o)
	if _, err := os.Stat(c.CertificatesDir); err != nil {
		return firstPKI(*c)
	}
	for _, cert := range certs.GetDefaultCertList() {
		if cert.CAName == "" {
			continue
		}
		for _, kind := range []string{".crt", ".key"} {
			if err := os.RemoveAll(filepath.Join(c.CertificatesDir, cert.BaseName+kind)); err != nil {
				return err
			}
		}
	}
	if err := certs.CreatePKIAssets(c); err != nil {
		return fmt.Errorf("%w: remove %s to have new authorities made", err, c.CertificatesDir)
	}
	return nil
}

// firstPKI makes everything at once or nothing, so that a start after a crash finds no half of an authority.
func firstPKI(c kubeadm.InitConfiguration) error {
	target := c.CertificatesDir
	c.CertificatesDir = target + ".new"
	if err := os.RemoveAll(c.CertificatesDir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.CertificatesDir, 0o700); err != nil {
		return err
	}
	if err := certs.CreatePKIAssets(&c); err != nil {
		return err
	}
	return os.Rename(c.CertificatesDir, target)
}

// writeKubeconfigs writes the kubeconfigs of the administrator and of the two components. Each holds a client certificate
// and the authority's, so that it can be copied; a start makes them anew.
func writeKubeconfigs(o options) error {
	for _, id := range []struct {
		user, file string
		groups     []string
	}{
		{"admin", o.kubeconfig, []string{constants.SystemPrivilegedGroup}},
		{constants.ControllerManagerUser, o.path("controller-manager.kubeconfig"), nil},
		{constants.SchedulerUser, o.path("scheduler.kubeconfig"), nil},
	} {
		var b bytes.Buffer
		if err := kubeconfig.WriteKubeConfigWithClientCert(&b, cluster(o), id.user, id.groups, time.Now().Add(constants.CertificateValidityPeriod)); err != nil {
			return fmt.Errorf("kubeconfig of %s: %w", id.user, err)
		}
		if err := writeFile(id.file, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
