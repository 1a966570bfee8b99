package publish

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source is what a manifest was made of.
type Source struct {
	// Repository is its address, without credentials.
	Repository string `json:"repository,omitempty"`
	// Commit is a full object name, with -dirty if the files differed from it.
	Commit string `json:"commit,omitempty"`
	// Tag is that of the release, for example npm/v1.2.3. Empty: none.
	Tag string `json:"tag,omitempty"`
	// Author of the commit, as "Name <mail>".
	Author string `json:"author,omitempty"`
	// Platform is the commit of the platform's repository that rendered it, where that is another repository.
	Platform string `json:"platform,omitempty"`
	// Time of the commit, in seconds since 1970 and with its zone, as git prints it raw.
	Time string `json:"-"`
}

// dirty marks the commit of files that were changed since.
const dirty = "-dirty"

// trailers are the lines by which a commit remembers its source, in order.
func (s Source) trailers() [][2]string {
	return [][2]string{{"Source-Repository", s.Repository}, {"Source-Commit", s.Commit}, {"Source-Tag", s.Tag}, {"Source-Author", s.Author}, {"Source-Platform", s.Platform}}
}

// objectName is what Source-Commit may be.
var objectName = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})(` + dirty + `)?$`)

// parseSource reads the trailers of a commit's message. Whoever may write the branch wrote them, and git is asked about the commit,
// so that anything else than the name of one counts as none.
func parseSource(message string) Source {
	found := map[string]string{}
	for line := range strings.Lines(message) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), ": "); ok && strings.HasPrefix(key, "Source-") {
			found[key] = value
		}
	}
	if !objectName.MatchString(found["Source-Commit"]) {
		found["Source-Commit"] = ""
	}
	return Source{Repository: found["Source-Repository"], Commit: found["Source-Commit"], Tag: found["Source-Tag"], Author: found["Source-Author"], Platform: found["Source-Platform"]}
}

// message returns the message of the commit: what, where, and the source as trailers.
func message(m Manifest, o Options) string {
	var b strings.Builder
	version := o.Source.Tag
	if version == "" {
		version = fmt.Sprintf("%.12s", o.Source.Commit)
	}
	fmt.Fprintf(&b, "Publish %s to %s from %s\n\n", m.Service, o.Environment, version)
	for _, t := range o.Source.trailers() {
		if t[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", t[0], strings.Join(strings.Fields(t[1]), " "))
		}
	}
	return b.String()
}

// content is what a branch holds.
func content(m Manifest, s Source) map[string][]byte {
	return map[string][]byte{m.file(): m.Content, "kustomization.yaml": kustomization(m, s)}
}

func (m Manifest) file() string { return m.Service + ".k8s.yaml" }

// kustomization lists the manifest, and adds the source to the Deployment. It is here and not in the manifest, so that
// equal manifests are equal files, whatever commit they came from.
func kustomization(m Manifest, s Source) []byte {
	annotations := map[string]string{}
	// The keys are those of the OCI image specification, which Flux uses for artifacts too.
	for key, value := range map[string]string{
		"source": s.Repository, "revision": s.Commit, "version": s.Tag, "authors": s.Author,
	} {
		if value != "" {
			annotations["org.opencontainers.image."+key] = value
		}
	}
	k := map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []string{m.file()},
	}
	if len(annotations) > 0 {
		patch := encode(map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": m.Service, "annotations": annotations},
		})
		k["patches"] = []any{map[string]any{"patch": string(patch), "target": map[string]string{"kind": "Deployment", "name": m.Service}}}
	}
	return encode(k)
}

// empty is a branch that applies nothing. kustomize refuses a file without any directive.
func empty(m Manifest) map[string][]byte {
	return map[string][]byte{"kustomization.yaml": encode(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []string{},
		"labels": []any{map[string]any{"pairs": map[string]string{"app.kubernetes.io/name": m.Service}}},
	})}
}

// encode prints plain values; that cannot fail.
func encode(value any) []byte {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return nil
	}
	return out.Bytes()
}
