package procnode

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"
)

// Table is the image table: which program of the host stands for which container image.
type Table struct {
	// Images are tried in order; the first whose repository matches is taken.
	Images []Image `json:"images"`
}

// Image is one entry of the table. Command, Dir, Env and Flags may contain ${IP} (the address the pod's processes listen
// on), ${DIR} (the pod's directory), ${KUBECONFIG} (a kubeconfig with the pod's own ServiceAccount) and ${mount:/path} (the
// place on the host of a path below one of the container's mounts).
type Image struct {
	// Repository is compared with the reference without tag and digest. A leading "*/" matches any registry host, another *
	// one part of the path.
	Repository string `json:"repository"`
	// Tags are the tags that exist; any other gives ErrImagePull. Default: every tag exists. A reference by digest alone is
	// not checked.
	Tags []string `json:"tags,omitempty"`
	// Registry is the base URL at which the repository's registry answers, in the place of Tags: a reference exists when the
	// registry has its manifest. It is asked once for each reference, as a kubelet pulls an image once.
	Registry string `json:"registry,omitempty"`
	// Command takes the place of the image's entrypoint and of the container's command. Its first element is an absolute
	// path. Default: the container's own command, which must then exist on the host.
	Command []string `json:"command,omitempty"`
	// Args is "pass" (default: the container's args follow Command) or "drop".
	Args string `json:"args,omitempty"`
	// Dir is the working directory. Default: the container's workingDir when it lies on a volume, else the pod's directory.
	Dir string `json:"dir,omitempty"`
	// Env is set over the container's own variables.
	Env map[string]string `json:"env,omitempty"`
	// Flags are set as --flag=value; the same flag among the container's args is left out, with its value.
	Flags map[string]string `json:"flags,omitempty"`
	// Remove names flags that are left out of the container's args, with their values.
	Remove []string `json:"remove,omitempty"`
}

// ReadTable reads and checks the image table of a file.
func ReadTable(file string) (Table, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Table{}, fmt.Errorf("image table: %w", err)
	}
	var t Table
	if err := yaml.UnmarshalStrict(b, &t); err != nil {
		return Table{}, fmt.Errorf("image table %s: %w", file, err)
	}
	if err := t.Validate(); err != nil {
		return Table{}, fmt.Errorf("image table %s: %w", file, err)
	}
	return t, nil
}

// Validate reports all mistakes of the table.
func (t Table) Validate() error {
	var errs []error
	for i, im := range t.Images {
		at := fmt.Sprintf("images[%d] (%s)", i, im.Repository)
		if repository, _ := splitReference(im.Repository); im.Repository == "" || repository != im.Repository {
			errs = append(errs, fmt.Errorf("%s: repository: write a repository without tag and digest", at))
		}
		if _, err := path.Match(im.Repository, ""); err != nil {
			errs = append(errs, fmt.Errorf("%s: repository: %w", at, err))
		}
		if len(im.Command) > 0 && !filepath.IsAbs(im.Command[0]) {
			errs = append(errs, fmt.Errorf("%s: command: %q is no absolute path", at, im.Command[0]))
		}
		if !slices.Contains([]string{"", "pass", "drop"}, im.Args) {
			errs = append(errs, fmt.Errorf("%s: args: %q is neither pass nor drop", at, im.Args))
		}
		if u, err := url.Parse(im.Registry); err != nil || im.Registry != "" && (u.Scheme == "" || u.Host == "") {
			errs = append(errs, fmt.Errorf("%s: registry: %q is no URL: write it as http://127.0.0.1:PORT", at, im.Registry))
		}
		for _, f := range im.Remove {
			if !strings.HasPrefix(f, "-") {
				errs = append(errs, fmt.Errorf("%s: remove: %q: write the flag with its dashes", at, f))
			}
		}
		errs = append(errs, im.validateTemplates(at))
	}
	return errors.Join(errs...)
}

func (im Image) validateTemplates(at string) error {
	var errs []error
	check := func(field, s string) {
		if err := checkTemplate(s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", at, field, err))
		}
	}
	for _, s := range im.Command {
		check("command", s)
	}
	check("dir", im.Dir)
	for k, v := range im.Env {
		check("env."+k, v)
	}
	for k, v := range im.Flags {
		check("flags."+k, v)
		if !strings.HasPrefix(k, "-") {
			errs = append(errs, fmt.Errorf("%s: flags: %q: write the flag with its dashes", at, k))
		}
	}
	return errors.Join(errs...)
}

// unknownTag says that the repository is in the table, but the tag, or the digest, is neither there nor in the
// repository's registry.
type unknownTag struct{ reference, tag string }

func (e *unknownTag) Error() string {
	kind := "tag"
	if strings.Contains(e.tag, ":") {
		kind = "digest"
	}
	return fmt.Sprintf("failed to pull image %q: %s %s: not found", e.reference, kind, e.tag)
}

// Lookup returns the entry for an image reference, nil when there is none, and an error when the repository is known but the
// tag is not.
func (t Table) Lookup(reference string) (*Image, error) {
	repository, tag := splitReference(reference)
	for i := range t.Images {
		im := &t.Images[i]
		if !matchRepository(im.Repository, repository) {
			continue
		}
		if tag != "" && len(im.Tags) > 0 && !slices.Contains(im.Tags, tag) {
			return im, &unknownTag{reference, tag}
		}
		return im, nil
	}
	return nil, nil
}

// splitReference returns the repository and the tag: "latest" where nothing is given, "" where only a digest is.
func splitReference(reference string) (repository, tag string) {
	repository, digest, _ := strings.Cut(reference, "@")
	if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
		return repository[:i], repository[i+1:]
	}
	if digest != "" {
		return repository, ""
	}
	return repository, "latest"
}

func matchRepository(pattern, repository string) bool {
	repository = canonical(repository)
	if rest, ok := strings.CutPrefix(pattern, "*/"); ok {
		_, path, _ := strings.Cut(repository, "/")
		return path == rest || strings.TrimPrefix(path, "library/") == rest
	}
	matches, _ := path.Match(canonical(pattern), repository)
	return matches
}

// canonical adds what a container runtime adds to a short name: "ghost" is docker.io/library/ghost.
func canonical(repository string) string {
	host, _, found := strings.Cut(repository, "/")
	switch {
	case !found:
		return "docker.io/library/" + repository
	case host == "localhost" || strings.ContainsAny(host, ".:"):
		return repository
	}
	return "docker.io/" + repository
}

// images is the table of a file, read again when the file changes.
type images struct {
	file string
	log  *slog.Logger

	mu      sync.Mutex
	table   Table
	stamp   time.Time
	size    int64
	checked time.Time
	pulled  map[string]bool // references that their registry had
}

func newImages(file string, log *slog.Logger) (*images, error) {
	s := &images{file: file, log: log}
	if file == "" {
		return s, nil
	}
	t, err := ReadTable(file)
	if err != nil {
		return nil, err
	}
	s.table = t
	if st, err := os.Stat(file); err == nil {
		s.stamp, s.size = st.ModTime(), st.Size()
	}
	return s, nil
}

// lookup is Table.Lookup on the file's present content. A table that cannot be read leaves the last good one in force.
func (s *images) lookup(reference string) (*Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != "" && time.Since(s.checked) > 200*time.Millisecond { // one stat for a thousand pods
		s.checked = time.Now()
		s.reload()
	}
	return s.table.Lookup(reference)
}

func (s *images) reload() {
	st, err := os.Stat(s.file)
	if err != nil || st.ModTime().Equal(s.stamp) && st.Size() == s.size {
		return
	}
	s.stamp, s.size = st.ModTime(), st.Size()
	t, err := ReadTable(s.file)
	if err != nil {
		s.log.Error("image table not taken over", "error", err)
		return
	}
	s.table = t
	s.log.Info("image table read again", "images", len(t.Images))
}
