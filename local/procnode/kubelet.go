package procnode

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	utilexec "k8s.io/client-go/util/exec"
)

// serveKubelet serves logs, exec and port-forward to the API server, with a certificate made for the occasion: an API server
// without --kubelet-certificate-authority does not look at it.
func (p *provider) serveKubelet(ctx context.Context) error {
	config, err := kubeletTLS(p.cfg.ClientCA)
	if err != nil {
		return fmt.Errorf("procnode: kubelet API: %w", err)
	}
	l, err := net.Listen("tcp", p.cfg.Listen)
	if err != nil {
		return fmt.Errorf("procnode: kubelet API: %w", err)
	}
	h := api.PodHandler(api.PodHandlerConfig{
		RunInContainer: p.exec, GetContainerLogs: p.logs, PortForward: p.portForward, AttachToContainer: attach,
		GetPods: p.GetPods, GetPodsFromKubernetes: p.GetPods,
		StreamIdleTimeout: 4 * time.Hour, StreamCreationTimeout: 30 * time.Second, // a kubelet's
	}, true)
	s := &http.Server{Handler: h, TLSConfig: config, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	go func() { _ = s.ServeTLS(l, "", "") }()
	context.AfterFunc(ctx, func() { s.Close() })
	return nil
}

func kubeletTLS(clientCA string) (*tls.Config, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, private.Public(), private)
	if err != nil {
		return nil, err
	}
	// HTTP/1.1 only: exec and port-forward upgrade the connection.
	config := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}},
		MinVersion:   tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}
	if clientCA != "" {
		pem, err := os.ReadFile(clientCA)
		if err != nil {
			return nil, err
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", clientCA)
		}
	}
	return config, nil
}

// find returns a running pod's container.
func (p *provider) find(namespace, name, container string) (*container, error) {
	if x := p.get(namespace, name); x != nil {
		for _, c := range x.all() {
			if c.name == container {
				return c, nil
			}
		}
	}
	return nil, errdefs.NotFoundf("no container %s in pod %s/%s on this node", container, namespace, name)
}

// logs serves a container's log, also that of a pod which had ended before the node started.
func (p *provider) logs(ctx context.Context, namespace, name, container string, o api.ContainerLogOpts) (io.ReadCloser, error) {
	var dir string
	n, live := int32(0), func() bool { return false }
	if c, err := p.find(namespace, name, container); err == nil {
		if c.simulated {
			return io.NopCloser(strings.NewReader("(simulated container: image " + c.definition().Image + " is not in the image table)\n")), nil
		}
		dir, n, live = c.pod.dir, c.logRun(), c.running
	} else {
		cur, err := p.lister.Pods(namespace).Get(name)
		if err != nil {
			return nil, errdefs.NotFound(err.Error())
		}
		dir = filepath.Join(p.cfg.Root, string(cur.UID))
		for _, s := range append(cur.Status.InitContainerStatuses, cur.Status.ContainerStatuses...) {
			if s.Name == container {
				n = s.RestartCount
			}
		}
	}
	if o.Previous {
		n, o.Follow = n-1, false
	}
	r, err := readLog(ctx, logPath(dir, container, n), o, live)
	if err != nil && o.Previous {
		return nil, errdefs.NotFoundf("previous terminated container %q in pod %q not found", container, name)
	}
	if err != nil {
		return nil, errdefs.NotFoundf("container %q in pod %q has written no log yet", container, name)
	}
	return r, nil
}

// logRun is the number of the run whose log is the present one.
func (c *container) logRun() int32 {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	if !c.launched && c.runs > 0 {
		return c.runs - 1
	}
	return c.runs
}

func (c *container) running() bool {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	return c.state.Running != nil
}

// exec runs a command with the variables and the directory of a container. There is no terminal: programs that ask for one
// see pipes.
func (p *provider) exec(ctx context.Context, namespace, name, container string, argv []string, streams api.AttachIO) error {
	c, err := p.find(namespace, name, container)
	if err != nil {
		return err
	}
	c.pod.mu.Lock()
	l := c.current
	c.pod.mu.Unlock()
	if c.simulated || l == nil || !c.running() {
		return errdefs.InvalidInputf("container %s is not running as a process", container)
	}
	cmd := l.command(argv)
	cmd.WaitDelay = time.Second
	cmd.Stdout = streams.Stdout()
	if e := streams.Stderr(); e != nil {
		cmd.Stderr = e
	} else {
		cmd.Stderr = cmd.Stdout
	}
	if in := streams.Stdin(); in != nil {
		w, err := cmd.StdinPipe() // not cmd.Stdin: Wait would wait for a client that says nothing
		if err != nil {
			return err
		}
		go func() { _, _ = io.Copy(w, in); w.Close() }()
	}
	err = runWith(ctx, cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: err, Code: exitCode(err)}
	}
	return err
}

func attach(context.Context, string, string, string, api.AttachIO) error {
	return errdefs.InvalidInput("procnode does not attach: use kubectl logs -f or kubectl exec")
}

// portForward connects a stream with a port of the pod.
func (p *provider) portForward(ctx context.Context, namespace, name string, port int32, s io.ReadWriteCloser) error {
	x := p.get(namespace, name)
	if x == nil {
		return errdefs.NotFoundf("no pod %s/%s on this node", namespace, name)
	}
	c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(x.bind, strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	pipe(c, s)
	return nil
}
