package procnode

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
)

// Config says which node Run makes. The zero value of an optional field turns its function off.
type Config struct {
	// Kubeconfig is the path of an administrator's kubeconfig. Required.
	Kubeconfig string
	// NodeName is the name of the Node object. Default "local".
	NodeName string
	// ImagesFile is the path of the image table (see Table). It is read again when it changes. Default: no table, so that
	// every image is simulated.
	ImagesFile string
	// Root is the directory that holds a directory per pod (named by its UID): volumes, logs, home. Required. Directories of pods
	// that the API no longer has are removed at start.
	Root string
	// Listen is the loopback host:port of the kubelet API (logs, exec, port-forward). Required.
	Listen string
	// Gate is the loopback host:port of the forward proxy. Required.
	Gate string
	// GateSocket is the path of a Unix socket that serves the gate to the API server's egress selector. Optional.
	GateSocket string
	// Hosts maps a host:port that a pod asks for to the address that serves it, as in "git.localhost:80" to
	// "127.0.0.1:4000". An empty address refuses the connection without a warning, where programs try a port that is not
	// served before the one that is.
	Hosts map[string]string
	// PodPrefix is the first two octets of pod IPs with a trailing dot. Default "10.10.".
	PodPrefix string
	// Region and Zone label the node. Defaults "eu-west-1" and Region + "a".
	Region, Zone string
	// PodIdentity is the base URL of the service that knows the EKS Pod Identity associations. Default: none are injected.
	PodIdentity string
	// Env is added to the environment of every process; the pod's own variables and the image table's come first.
	Env map[string]string
	// ClientCA is the path of a PEM file. When set, the kubelet API wants a client certificate of it.
	ClientCA string
	// Log receives what the node does. Default slog.Default().
	Log *slog.Logger `json:"-"`
}

var podPrefix = regexp.MustCompile(`^\d{1,3}\.\d{1,3}\.$`)

// complete fills in the defaults and checks the rest.
func (c Config) complete() (Config, error) {
	c.NodeName = cmp.Or(c.NodeName, "local")
	c.PodPrefix = cmp.Or(c.PodPrefix, "10.10.")
	c.Region = cmp.Or(c.Region, "eu-west-1")
	c.Zone = cmp.Or(c.Zone, c.Region+"a")
	if c.Log == nil {
		c.Log = slog.Default()
	}
	var errs []error
	if c.Kubeconfig == "" {
		errs = append(errs, errors.New("procnode: Kubeconfig is empty: name the administrator's kubeconfig of the control plane"))
	}
	if c.Root == "" {
		errs = append(errs, errors.New("procnode: Root is empty: name a directory for the pods"))
	} else if abs, err := filepath.Abs(c.Root); err != nil {
		errs = append(errs, fmt.Errorf("procnode: Root: %w", err))
	} else {
		c.Root = abs
	}
	errs = append(errs, loopback("Listen", c.Listen), loopback("Gate", c.Gate))
	if !podPrefix.MatchString(c.PodPrefix) {
		errs = append(errs, fmt.Errorf("procnode: PodPrefix %q: write two octets with dots, as in \"10.10.\"", c.PodPrefix))
	}
	if u, err := url.Parse(c.PodIdentity); err != nil || c.PodIdentity != "" && (u.Scheme == "" || u.Host == "") {
		errs = append(errs, fmt.Errorf("procnode: PodIdentity %q is no URL: write it as http://127.0.0.1:PORT", c.PodIdentity))
	}
	return c, errors.Join(errs...)
}

// loopback wants an address that only this machine reaches: the kubelet API runs commands and the gate opens connections.
func loopback(field, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return fmt.Errorf("procnode: %s %q: write it as 127.0.0.1:PORT", field, addr)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("procnode: %s %q is not a loopback address: write it as 127.0.0.1:%s", field, addr, port)
	}
	return nil
}
