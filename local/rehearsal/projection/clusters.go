package projection

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// clusters has the entry points for Flux, a folder for each environment beside the base.
const (
	clusters = "k8s/clusters"
	overlay  = "kustomization.yaml"
)

// patch is one of an overlay.
type patch struct {
	Path    string            `yaml:"path,omitempty"`
	Patch   string            `yaml:"patch,omitempty"`
	Target  map[string]string `yaml:"target,omitempty"`
	Options map[string]bool   `yaml:"options,omitempty"`
}

// machine reports which layers a patch of local's overlay changes for the machine's sake: the platform's, or all of them. What it
// changes of applications and services is local's own, as production has its own.
func (p patch) machine() (layers string, yes bool) {
	kind, name := p.Target["kind"], p.Target["name"]
	if p.Target == nil {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if yaml.Unmarshal([]byte(p.Patch), &object) != nil {
			return "", false
		}
		kind, name = object.Kind, object.Metadata.Name
	}
	if kind == "Kustomization" && name == "" {
		return "all Kustomizations", true
	}
	return name, kind == "Kustomization" && strings.HasPrefix(name, "platform-")
}

// overlay puts the wanted environment's entry point for Flux in the place of local's, which leaves the patches that this machine needs.
func (p *projection) overlay() error {
	kept, err := p.machinePatches()
	if err != nil {
		return err
	}
	from := path.Join(clusters, p.name)
	text, err := os.ReadFile(p.path(path.Join(from, overlay)))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s/%s is missing: make generate", from, overlay)
	}
	if err != nil {
		return err
	}
	document, root, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s/%s: %w", from, overlay, err)
	}
	if other := p.buildsOn(root); other != "" {
		return fmt.Errorf("%s builds on %s, an environment that is not here: put what they share into %s/base", from, other, clusters)
	}
	for _, name := range p.all {
		if name != p.name {
			err = errors.Join(err, os.RemoveAll(p.path(path.Join(clusters, name))))
		}
	}
	if err = errors.Join(err, os.Rename(p.path(from), p.path(path.Join(clusters, Here)))); err != nil {
		return err
	}
	if err := p.patch(root, kept); err != nil {
		return err
	}
	return p.write(path.Join(clusters, Here, overlay), document)
}

// patch adds patches behind those of an overlay.
func (p *projection) patch(root *yaml.Node, all []patch) error {
	list := value(root, "patches")
	if list == nil && len(all) > 0 {
		list = &yaml.Node{Kind: yaml.SequenceNode}
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "patches"}, list)
	}
	for _, k := range all {
		layers, _ := k.machine()
		var node yaml.Node
		if err := node.Encode(k); err != nil {
			return err
		}
		list.Content = append(list.Content, &node)
		p.row(path.Join(clusters, p.name)+", "+layers, "as it is", "with local's patch",
			"versions that one machine builds, its ports and certificates, and shorter times")
	}
	return nil
}

// machinePatches are the patches of local's overlay that belong to the machine, those in files with their text.
func (p *projection) machinePatches() ([]patch, error) {
	folder := path.Join(clusters, Here)
	text, err := os.ReadFile(p.path(path.Join(folder, overlay)))
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", folder, overlay, errors.Unwrap(err))
	}
	var list struct{ Patches []patch }
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", folder, overlay, err)
	}
	var kept []patch
	for _, k := range list.Patches {
		if k.Path != "" {
			content, err := os.ReadFile(p.path(path.Join(folder, k.Path)))
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", folder, k.Path, errors.Unwrap(err))
			}
			k.Path, k.Patch = "", string(content)
		}
		if _, yes := k.machine(); yes {
			kept = append(kept, k)
		}
	}
	return kept, nil
}

// buildsOn is another environment's folder that an overlay of the wanted one names, or empty.
func (p *projection) buildsOn(root *yaml.Node) string {
	for _, key := range []string{"resources", "components", "bases"} {
		list := value(root, key)
		if list == nil {
			continue
		}
		for _, item := range list.Content {
			first, _, _ := strings.Cut(strings.TrimPrefix(path.Join(p.name, item.Value), "/"), "/")
			if first != p.name && slices.Contains(p.all, first) {
				return path.Join(clusters, first)
			}
		}
	}
	return ""
}

var (
	// imageVariable is a line of an overlay with an image, by the variable that the manifests know it by.
	imageVariable = regexp.MustCompile(`(?m)^(\s+([A-Z][A-Z0-9_]*):[ \t]+)(\S+\.dkr\.ecr\.\S+)`)
	// imageDefault is what the manifests have without the variable.
	imageDefault = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*):=([^}]+)\}`)
)

// images replaces those of a registry of AWS by what the manifests have without them: the same program, at the version that is here.
func (p *projection) images() error {
	files, err := filepath.Glob(p.path(path.Join(clusters, Here, "*.yaml")))
	if err != nil {
		return err
	}
	var defaults map[string]string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !imageVariable.Match(text) {
			continue
		}
		if defaults == nil {
			if defaults, err = p.imageDefaults(); err != nil {
				return err
			}
		}
		written := imageVariable.ReplaceAllStringFunc(string(text), func(line string) string {
			part := imageVariable.FindStringSubmatch(line)
			plain, known := defaults[part[2]]
			if !known {
				return line // simulated
			}
			p.row(path.Join(clusters, p.name, filepath.Base(file))+" "+part[2], part[3], plain, "the registry is not here")
			return part[1] + plain
		})
		if err := os.WriteFile(file, []byte(written), 0o644); err != nil { //nolint:gosec // a file of the repository
			return err
		}
	}
	return nil
}

// imageDefaults are the values of variables without an environment's own, by name.
func (p *projection) imageDefaults() (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(p.path("k8s/apps"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(name)
		for _, part := range imageDefault.FindAllStringSubmatch(string(text), -1) {
			found[part[1]] = part[2]
		}
		return err
	})
	return found, err
}
