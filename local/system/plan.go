package system

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// Names of the supervised processes, which are also their log names.
const (
	controlPlane    = "controlplane"
	motoProcess     = "moto"
	endpointDaemon  = "endpoint"
	databaseProcess = "database"
	postgresProcess = "postgres" // only once a DB instance has asked for it
	gitDaemon       = "git"
	pipelinesDaemon = "pipelines"
	procNode        = "procnode"
	albDaemon       = "alb"
)

// parts are the programs that are not daemons of gitops-local itself.
type parts struct {
	controlPlane             string // binary
	moto, database, postgres *exec.Cmd
	caches                   []supervise.Process // those that a stack has asked for
}

// plan is what the supervisor runs.
func (s *System) plan(p layout.Ports, x parts) (*supervise.Plan, error) {
	digest, err := fileDigest(s.Executable)
	if err != nil {
		return nil, err
	}
	daemon := func(name, ready string, after ...string) supervise.Process {
		return supervise.Process{Name: name, Command: s.daemonCommand(name), Dir: s.Dir.Root, After: after, Ready: ready, Digest: digest, Grace: 20 * time.Second}
	}
	tcp := func(port string) string { return "tcp://" + p.Addr(port) }
	port := func(name string) string { return strconv.Itoa(p[name]) }
	control := supervise.Process{
		Name: controlPlane, Dir: s.Dir.Root, Ready: tcp(layout.APIServer), Grace: 20 * time.Second,
		Env: []string{"GOGC=50"}, // it has a third of the memory of the whole, and is at rest most of the time
		Command: []string{
			x.controlPlane, "--dir", s.Dir.Path("control"), "--kubeconfig", s.Dir.Kubeconfig(),
			"--apiserver-port", port(layout.APIServer), "--etcd-port", port(layout.Etcd), "--etcd-peer-port", port(layout.EtcdPeer),
			"--egress-socket", s.Dir.GateSocket(), "--token-webhook", p.URL(layout.AWS) + front.AuthenticatePath,
		},
	}
	moto := fromCmd(motoProcess, x.moto)
	moto.Ready = p.URL(layout.Moto) + "/_local/healthz"
	moto.Grace = 30 * time.Second // it writes its state
	db := fromCmd(databaseProcess, x.database)
	db.Ready = tcp(layout.Database)
	db.Grace = 30 * time.Second
	processes := []supervise.Process{
		control, moto, db,
		daemon(endpointDaemon, p.URL(layout.AWS)+"/healthz", motoProcess, databaseProcess),
		daemon(procNode, tcp(layout.Gate), controlPlane, endpointDaemon),
		daemon(albDaemon, p.URL(layout.HTTP)+"/_alb/healthz", endpointDaemon, procNode),
		daemon(gitDaemon, tcp(layout.Git)),
		daemon(pipelinesDaemon, "", endpointDaemon, gitDaemon), // listens nowhere
	}
	if x.postgres != nil {
		processes = append(processes, s.postgres(p, x.postgres))
	}
	processes = append(processes, x.caches...)
	for i := range processes {
		processes[i].Env = append(processes[i].Env, "TMPDIR="+s.Dir.Temp())
	}
	return &supervise.Plan{
		State: s.Dir.Root, Logs: s.Dir.Path("log"),
		Supervisor: s.daemonCommand(supervise.SupervisorName), Watchdog: s.daemonCommand(supervise.WatchdogName),
		Processes: processes,
	}, nil
}

// withoutNode is the plan of a system whose pods must not start yet.
func withoutNode(p *supervise.Plan) *supervise.Plan {
	some := *p
	some.Processes = slices.DeleteFunc(slices.Clone(p.Processes), func(x supervise.Process) bool {
		return x.Name == procNode || slices.Contains(x.After, procNode)
	})
	return &some
}

// portsOf are the ports that a process listens on.
var portsOf = map[string][]string{
	controlPlane:    {layout.APIServer, layout.Etcd, layout.EtcdPeer},
	motoProcess:     {layout.Moto},
	databaseProcess: {layout.Database},
	postgresProcess: {layout.Postgres},
	endpointDaemon:  {layout.AWS},
	procNode:        {layout.Kubelet, layout.Gate},
	albDaemon:       {layout.HTTP, layout.HTTPS},
	gitDaemon:       {layout.Git},
}

func (s *System) daemonCommand(name string) []string {
	return []string{s.Executable, "run", name, "--state", s.Dir.Root}
}

// fromCmd takes over a prepared command. Its environment, when it has one, is
// added to the supervisor's.
func fromCmd(name string, c *exec.Cmd) supervise.Process {
	p := supervise.Process{Name: name, Dir: c.Dir, Command: append([]string{c.Path}, c.Args[1:]...)}
	have := map[string]bool{}
	for _, e := range os.Environ() {
		have[e] = true
	}
	for _, e := range c.Env {
		if !have[e] {
			p.Env = append(p.Env, e)
		}
	}
	return p
}

// fileDigest identifies a binary, so that a rebuilt one replaces the daemons.
func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
