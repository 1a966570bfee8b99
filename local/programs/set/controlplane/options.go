package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
)

// options are the flags of the control plane.
type options struct {
	dir          string
	kubeconfig   string
	egressSocket string
	tokenWebhook string
	serviceCIDR  string
	apiserver    int
	etcd         int
	etcdPeer     int
	verbosity    int
	grace        time.Duration
}

// maxSocketPath is the longest path of a Unix socket that every supported system takes: sun_path has 104
// bytes on macOS (108 on Linux), one of them the terminating zero.
const maxSocketPath = 103

func (o *options) bind(fs *pflag.FlagSet) {
	fs.StringVar(&o.dir, "dir", "", "directory of etcd's data and certificates; made if missing (required)")
	fs.StringVar(&o.kubeconfig, "kubeconfig", "", "admin kubeconfig to write (required)")
	fs.StringVar(&o.egressSocket, "egress-socket", "", "Unix socket of an HTTP CONNECT proxy that kube-apiserver dials webhooks, aggregated APIs and kubelets through; empty: it dials them itself")
	fs.StringVar(&o.tokenWebhook, "token-webhook", "", "address that kube-apiserver asks about bearer tokens that are none of its own; empty: nobody")
	// EKS's own default for a VPC inside 10.0.0.0/8, so that manifests meet the same addresses.
	// https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
	fs.StringVar(&o.serviceCIDR, "service-cidr", "172.20.0.0/16", "CIDR of ClusterIPs")
	fs.IntVar(&o.apiserver, "apiserver-port", 0, "port of kube-apiserver on 127.0.0.1 (required)")
	fs.IntVar(&o.etcd, "etcd-port", 0, "port of etcd for clients on 127.0.0.1 (required)")
	fs.IntVar(&o.etcdPeer, "etcd-peer-port", 0, "port of etcd for peers on 127.0.0.1 (required)")
	fs.IntVar(&o.verbosity, "v", 0, "log verbosity of the Kubernetes components")
	fs.DurationVar(&o.grace, "grace", 2*time.Second, "time to stop in after SIGTERM before the process exits regardless")
}

// validate reports every problem at once, naming the flag, and makes the paths absolute.
func (o *options) validate() error {
	var errs []error
	for _, p := range []struct {
		flag string
		path *string
		must bool
	}{{"--dir", &o.dir, true}, {"--kubeconfig", &o.kubeconfig, true}, {"--egress-socket", &o.egressSocket, false}} {
		if *p.path == "" {
			if p.must {
				errs = append(errs, fmt.Errorf("%s is required", p.flag))
			}
			continue
		}
		abs, err := filepath.Abs(*p.path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.flag, err))
			continue
		}
		*p.path = abs
	}
	seen := map[int]string{}
	for _, p := range []struct {
		flag string
		port int
	}{{"--apiserver-port", o.apiserver}, {"--etcd-port", o.etcd}, {"--etcd-peer-port", o.etcdPeer}} {
		switch other := seen[p.port]; {
		case p.port < 1 || p.port > 65535:
			errs = append(errs, fmt.Errorf("%s is %d: give a port from 1 to 65535", p.flag, p.port))
		case other != "":
			errs = append(errs, fmt.Errorf("%s is %d, which %s has already: give each its own port", p.flag, p.port, other))
		default:
			seen[p.port] = p.flag
		}
	}
	if n := len(o.egressSocket); n > maxSocketPath {
		errs = append(errs, fmt.Errorf("--egress-socket has %d characters, a Unix socket takes %d: use a shorter state directory", n, maxSocketPath))
	}
	if o.grace <= 0 {
		errs = append(errs, fmt.Errorf("--grace is %s: give a positive duration", o.grace))
	}
	return errors.Join(errs...)
}

// server is the URL of kube-apiserver.
func (o *options) server() string { return fmt.Sprintf("https://127.0.0.1:%d", o.apiserver) }

// path is a file below the directory of the control plane.
func (o *options) path(elem ...string) string {
	return filepath.Join(append([]string{o.dir}, elem...)...)
}
