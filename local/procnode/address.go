package procnode

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// wholeLoopback says whether the system answers on all of 127.0.0.0/8 (see the package comment).
const wholeLoopback = runtime.GOOS == "linux"

// addresses gives out pod IPs. On Linux an address comes again only when all others were given out, so that nobody reaches a
// new pod under an old one's address; elsewhere the lowest is taken, because each needs an alias.
type addresses struct {
	prefix string
	lowest bool

	mu   sync.Mutex
	next int
	used map[string]bool
	left map[string]bool // addresses of pods that are ending or gone, until they are given out again
}

const perBlock = 254 // .1 to .254 of each third octet

func newAddresses(prefix string) *addresses {
	return &addresses{prefix: prefix, lowest: !wholeLoopback, used: map[string]bool{}, left: map[string]bool{}}
}

// keep holds the addresses of pods that an earlier node gave out.
func (a *addresses) keep(pods []*corev1.Pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range pods {
		a.used[o.Status.PodIP] = true
	}
}

// take returns the address that the pod has already, else a free one.
func (a *addresses) take(in *corev1.Pod) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if strings.HasPrefix(in.Status.PodIP, a.prefix) {
		a.used[in.Status.PodIP] = true
		delete(a.left, in.Status.PodIP)
		return in.Status.PodIP
	}
	if a.lowest {
		a.next = 0
	}
	for {
		ip := fmt.Sprintf("%s%d.%d", a.prefix, a.next/perBlock%256, a.next%perBlock+1)
		a.next++
		if !a.used[ip] {
			a.used[ip] = true
			delete(a.left, ip)
			return ip
		}
	}
}

// leave marks the address of a pod that is ending, so that the gate opens no new connection to it.
func (a *addresses) leave(ip string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left[ip] = true
}

func (a *addresses) leaving(ip string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.left[ip]
}

func (a *addresses) free(ip string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, ip)
}

// bindAddress maps a pod IP to the address of the loopback network that stands for it, and leaves any other host as it is.
func bindAddress(prefix, loopback, host string) string {
	if rest, ok := strings.CutPrefix(host, prefix); ok && net.ParseIP(host) != nil {
		return loopback + rest
	}
	return host
}

func (p *provider) bind(host string) string { return bindAddress(p.cfg.PodPrefix, p.loopback, host) }

// reachable says whether processes can listen on the pod's address.
func (p *provider) reachable(bind string) error {
	if wholeLoopback {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(bind, "0"))
	if err != nil {
		return fmt.Errorf("%s is not an address of this machine: run `sudo ifconfig lo0 alias %s`: %w", bind, bind, err)
	}
	return l.Close()
}

var podDirName = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// removeDir removes a pod's directory, which is named by its UID; anything else in Root is left alone.
func (p *provider) removeDir(uid string) {
	if !podDirName.MatchString(uid) {
		return
	}
	if err := os.RemoveAll(filepath.Join(p.cfg.Root, uid)); err != nil {
		p.log.Warn("pod directory not removed", "uid", uid, "error", err)
	}
}
