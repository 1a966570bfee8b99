package procnode

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mount is a path of a container and its place on the host.
type mount struct{ path, host string }

// mounts are the mounts of a container, the longest path first.
type mounts []mount

func newMounts(m []mount) mounts {
	for i := range m {
		m[i].path = strings.TrimRight(m[i].path, "/")
	}
	m = slices.DeleteFunc(m, func(x mount) bool { return x.path == "" })
	slices.SortStableFunc(m, func(a, b mount) int { return len(b.path) - len(a.path) })
	return m
}

const (
	before = "=:,; \t\n\"'([@" // what may stand in front of a path inside a longer text
	after  = "/:,; \t\n\"')]?"
)

// rewrite replaces every mount path in s by its place on the host: there is no mount namespace.
func (m mounts) rewrite(s string) string {
	if len(m) == 0 || !strings.Contains(s, "/") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if hit := m.at(s, i); hit != nil {
			b.WriteString(hit.host)
			i += len(hit.path)
			continue
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

// at returns the mount whose path begins at s[i], as a whole path and not as part of a longer name.
func (m mounts) at(s string, i int) *mount {
	if s[i] != '/' || i > 0 && !strings.ContainsRune(before, rune(s[i-1])) && !strings.HasSuffix(s[:i], "file://") {
		return nil
	}
	for k := range m {
		rest, ok := strings.CutPrefix(s[i:], m[k].path)
		if ok && (rest == "" || strings.ContainsRune(after, rune(rest[0]))) {
			return &m[k]
		}
	}
	return nil
}

// host returns the place on the host of a path of the container, and whether it lies on a mount.
func (m mounts) host(path string) (string, bool) {
	path = filepath.Clean(path)
	for _, x := range m {
		if path == x.path || strings.HasPrefix(path, x.path+"/") {
			return x.host + path[len(x.path):], true
		}
	}
	return "", false
}

var template = regexp.MustCompile(`\$\{([^}]*)\}`)

// checkTemplate refuses a ${…} that the image table does not know.
func checkTemplate(s string) error {
	for _, m := range template.FindAllStringSubmatch(s, -1) {
		switch name := m[1]; {
		case name == "IP", name == "DIR", name == "KUBECONFIG", strings.HasPrefix(name, "mount:/"):
		default:
			return fmt.Errorf("${%s} is unknown: use ${IP}, ${DIR}, ${KUBECONFIG} or ${mount:/path}", name)
		}
	}
	return nil
}

// places are the values of the image table's templates.
type places struct {
	ip, dir, kubeconfig string
	mounts              mounts
}

func (p places) expand(s string) (string, error) {
	var failed error
	out := template.ReplaceAllStringFunc(s, func(m string) string {
		switch name := m[2 : len(m)-1]; name {
		case "IP":
			return p.ip
		case "DIR":
			return p.dir
		case "KUBECONFIG":
			return p.kubeconfig
		default:
			path := strings.TrimPrefix(name, "mount:")
			host, ok := p.mounts.host(path)
			if !ok {
				failed = fmt.Errorf("image table: %s: the container mounts nothing at %s", m, path)
			}
			return host
		}
	})
	return out, failed
}
