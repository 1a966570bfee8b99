package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// Names of the ports in ports.json.
const (
	APIServer = "apiserver"
	Etcd      = "etcd"
	EtcdPeer  = "etcd-peer"
	Kubelet   = "kubelet"
	Gate      = "gate"
	AWS       = "aws" // the endpoint for AWS_ENDPOINT_URL
	Moto      = "moto"
	Database  = "database"
	Postgres  = "postgres"
	Git       = "git" // the repository and the charts
	HTTP      = "http"
	HTTPS     = "https"
)

var portNames = []string{APIServer, Etcd, EtcdPeer, Kubelet, Gate, AWS, Moto, Database, Postgres, Git, HTTP, HTTPS}

// Ports maps names to TCP ports on 127.0.0.1.
type Ports map[string]int

// Addr is the loopback address of a port.
func (p Ports) Addr(name string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p[name]))
}

// URL is http://127.0.0.1:port of a name.
func (p Ports) URL(name string) string { return "http://" + p.Addr(name) }

// LoadPorts reads ports.json; it is empty before the first `up`.
func (d *Dir) LoadPorts() (Ports, error) {
	raw, err := os.ReadFile(d.Path("ports.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Ports{}, nil
	}
	if err != nil {
		return nil, err
	}
	p := Ports{}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("%s: %w: remove the file to choose the ports anew", d.Path("ports.json"), err)
	}
	for name, port := range p {
		if port < 1 || port > 65535 {
			return nil, fmt.Errorf("%s: %s: %d is no TCP port: remove the line to choose it anew", d.Path("ports.json"), name, port)
		}
	}
	return p, nil
}

// ChoosePorts completes ports.json: a port that is recorded is kept, because
// kubeconfigs and open browser tabs name it; a missing one is the next free that
// is none of those to avoid.
func (d *Dir) ChoosePorts(avoid ...int) (Ports, error) {
	p, err := d.LoadPorts()
	if err != nil {
		return nil, err
	}
	for _, name := range portNames {
		if p[name] != 0 {
			continue
		}
		if want := d.preferred(name); want != 0 && !p.has(want) && !slices.Contains(avoid, want) && free(want) {
			p[name] = want
			continue
		}
		if p[name], err = d.FreePort(append(slices.Collect(maps.Values(p)), avoid...)...); err != nil {
			return nil, fmt.Errorf("port %s: %w", name, err)
		}
	}
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	return p, atomicfile.Write(d.Path("ports.json"), append(raw, '\n'), 0o600)
}

// FreePort is the next port of this system that is free, and none of those that are taken.
func (d *Dir) FreePort(taken ...int) (int, error) {
	for next := d.firstPort(); next <= 65000; next++ {
		if !slices.Contains(taken, next) && free(next) {
			return next, nil
		}
	}
	return 0, fmt.Errorf("no free TCP port on 127.0.0.1 above %d", d.firstPort())
}

// firstPort spreads state directories over 20000–31999: below the range that
// the system hands to outgoing connections, and different for two systems on
// one machine even while one of them is stopped.
func (d *Dir) firstPort() int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.Root))
	return 20000 + int(h.Sum32()%1000)*12
}

// preferred is a port that people remember, for the default state directory.
func (d *Dir) preferred(name string) int {
	if d.Root != filepath.Join(d.Repo, ".local") {
		return 0
	}
	switch name {
	case HTTP:
		return 8080
	case HTTPS:
		return 8443
	}
	return 0
}

func (p Ports) has(port int) bool {
	return slices.Contains(slices.Collect(maps.Values(p)), port)
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// CheckFree fails when another process listens on one of the named ports. The
// error names the port, the process when it can be found, and the remedy.
func (d *Dir) CheckFree(p Ports, names ...string) error {
	var all []error
	for _, name := range names {
		if p[name] == 0 || free(p[name]) {
			continue
		}
		who := "another process"
		if h := holder(p[name]); h != "" {
			who = h
		}
		all = append(all, fmt.Errorf("port %d (%s) is taken by %s: stop it, or remove %q from %s to choose another port",
			p[name], name, who, name, d.Path("ports.json")))
	}
	return errors.Join(all...)
}
