package procnode

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// launch is everything needed to start a container's process.
type launch struct {
	argv   []string
	env    map[string]string
	dir    string
	mounts mounts
}

// inherited are the variables of the node that programs get: how to find tools and how to print.
var inherited = []string{"PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// prepareLaunch resolves a container's variables, mounts, arguments and the image table's entry.
func (x *pod) prepareLaunch(c *corev1.Container, im *Image) (*launch, error) {
	spec := x.object()
	base := x.baseEnv()
	own, err := x.node.sources.containerEnv(spec, c, x.bind, base)
	if err != nil {
		return nil, err
	}
	m, err := x.containerMounts(spec, c, own)
	if err != nil {
		return nil, err
	}
	l := &launch{env: base, mounts: m}
	if tmp, ok := m.host("/tmp"); ok {
		l.env["TMPDIR"] = tmp
	}
	if dir, ok := m.host(serviceAccountDir); ok {
		if err := x.writeKubeconfig(dir); err != nil {
			return nil, err
		}
		l.env["KUBECONFIG"] = x.kubeconfigPath()
	}
	maps.Copy(l.env, x.identityEnv())
	lookup := func(k string) (string, bool) { v, ok := own[k]; return v, ok }
	for k, v := range own {
		l.env[k] = m.rewrite(v)
	}
	p := places{ip: x.bind, dir: x.dir, kubeconfig: x.kubeconfigPath(), mounts: m}
	for k, v := range im.Env {
		if l.env[k], err = p.expand(v); err != nil {
			return nil, &configError{err}
		}
	}
	if l.argv, err = arguments(c, im, p, lookup); err != nil {
		return nil, &configError{err}
	}
	l.dir, err = x.workingDir(c, im, p)
	return l, err
}

// baseEnv are the variables that every process starts with. Anything of the pod or the table goes over them.
// KUBERNETES_SERVICE_HOST is not among them: a program that sees it reads the token at a fixed path below /var, which is not
// there, and some (flux-operator) give up instead of turning to $KUBECONFIG.
func (x *pod) baseEnv() map[string]string {
	env := map[string]string{}
	for _, k := range inherited {
		if v, ok := os.LookupEnv(k); ok {
			env[k] = v
		}
	}
	maps.Copy(env, x.node.cfg.Env)
	proxy := "http://" + x.node.cfg.Gate
	// No "localhost" here: for most programs that would take git.localhost past the gate too, and the gate knows localhost.
	direct := "127.0.0.0/8,127.0.0.1,::1"
	for k, v := range map[string]string{"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": direct} {
		env[k], env[strings.ToLower(k)] = v, v
	}
	env["HOSTNAME"] = x.name
	env["HOME"] = filepath.Join(x.dir, "home")
	env["TMPDIR"] = filepath.Join(x.dir, "tmp")
	env["POD_IP"] = x.bind
	env[rootVariable] = x.node.cfg.Root
	return env
}

// workingDir is the table's, else the container's where it lies on a volume, else the pod's directory.
func (x *pod) workingDir(c *corev1.Container, im *Image, p places) (string, error) {
	if im.Dir != "" {
		dir, err := p.expand(im.Dir)
		if err != nil {
			return "", &configError{err}
		}
		return dir, nil
	}
	if dir, ok := p.mounts.host(cmp.Or(c.WorkingDir, "/")); ok {
		return dir, os.MkdirAll(dir, 0o755)
	}
	return x.dir, nil
}

// arguments builds the command line from the table's entry and the container.
func arguments(c *corev1.Container, im *Image, p places, lookup func(string) (string, bool)) ([]string, error) {
	var argv []string
	for _, a := range im.Command {
		a, err := p.expand(a)
		if err != nil {
			return nil, err
		}
		argv = append(argv, a)
	}
	if len(argv) == 0 {
		for _, a := range c.Command {
			argv = append(argv, p.mounts.rewrite(expandVars(a, lookup)))
		}
	}
	if len(argv) == 0 && len(c.Args) == 0 {
		return nil, fmt.Errorf("image table: %s has no command and the container has none either", im.Repository)
	}
	if im.Args != "drop" {
		for _, a := range withoutFlags(c.Args, im) {
			argv = append(argv, p.mounts.rewrite(expandVars(a, lookup)))
		}
	}
	for _, f := range slices.Sorted(maps.Keys(im.Flags)) {
		v, err := p.expand(im.Flags[f])
		if err != nil {
			return nil, err
		}
		argv = append(argv, f+"="+v)
	}
	return argv, nil
}

// withoutFlags drops the flags that the table sets or removes, in the forms --flag=value, --flag value and --flag. A word
// after a dropped flag is taken for its value unless it begins with a dash.
func withoutFlags(args []string, im *Image) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(args[i], "=")
		_, set := im.Flags[name]
		if !set && !slices.Contains(im.Remove, name) {
			out = append(out, args[i])
			continue
		}
		if !joined && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
		}
	}
	return out
}

// command makes a process description; argv, when given, replaces the container's own (exec, hooks and probes).
func (l *launch) command(argv []string) *exec.Cmd {
	if argv == nil {
		argv = l.argv
	} else {
		argv = slices.Clone(argv)
		for i := range argv {
			argv[i] = l.mounts.rewrite(argv[i])
		}
	}
	path := argv[0]
	if !strings.Contains(path, "/") {
		if found, err := exec.LookPath(path); err == nil {
			path = found
		}
	}
	return &exec.Cmd{Path: path, Args: argv, Env: environ(l.env), Dir: l.dir}
}
