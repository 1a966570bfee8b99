// Package fleet generates what makes Flux follow each service: for every environment a folder with the namespace, the
// source, the Kustomization and the rights of each service. The list in Git is these files; nobody edits them.
package fleet

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services"
)

// Namespace holds the sources, the Kustomizations and the accounts of all services. It has no pods, so nothing that runs
// can reach the credentials of the manifests repository.
const Namespace = "services"

// Base is the folder of what is there once for each environment; it is written by hand.
const Base = "base"

// Shards is the number of folders over which an environment's services are spread by the hash of their names. kustomize
// compares every object with every other: 5000 objects in one build take 35 s, 16 builds of 300 take 2 s together.
const Shards = 16

// Shard is the folder of a service.
func Shard(service string) string {
	sum := sha256.Sum256([]byte(service))
	return fmt.Sprintf("%x", int(sum[0])%Shards)
}

// Generate returns the files of all environments by path relative to the repository.
func Generate(f services.Fleet) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, c := range f.Clusters {
		if err := environment(files, f, c); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func environment(files map[string][]byte, f services.Fleet, c services.Cluster) error {
	dir := path.Join(services.FleetDir, c.Environment)
	source := f.Config.For(c.Environment)
	byShard := map[string][]string{}
	for _, s := range f.In(c.Environment) {
		shard := Shard(s.Name)
		byShard[shard] = append(byShard[shard], s.Name+".yaml")
		spec := s.Resolve(c)
		var quota map[string]string
		if s.Registered() {
			quota = spec.Quota()
		}
		content, err := execute(serviceTemplate, map[string]any{
			"Quota": quota, "Owner": s.Owner, "Repository": s.Repository,
			"Name": s.Name, "Branch": source.Ref(c.Environment, s.Name), "URL": source.URL, "SecretRef": source.SecretRef,
			"Interval": source.Interval, "Namespace": Namespace, "Host": spec.Host, "Database": spec.AWS != nil && spec.AWS.Database != nil,
			"CA": services.DatabaseCAConfigMap, "Key": services.DatabaseCAKey, "Fact": config.DatabaseCAFact, "Rotation": config.RotationGroup(spec.Name),
		})
		if err != nil {
			return err
		}
		files[path.Join(dir, shard, s.Name+".yaml")] = content
	}
	resources := []string{"../" + Base}
	var flux bytes.Buffer
	for _, shard := range slices.Sorted(maps.Keys(byShard)) {
		content, err := execute(kustomizationTemplate, map[string]any{"Of": "A part of the services of " + c.Environment, "Resources": byShard[shard]})
		if err != nil {
			return err
		}
		files[path.Join(dir, shard, "kustomization.yaml")] = content
		part, err := execute(shardTemplate, map[string]any{"Shard": shard, "Path": "./" + path.Join(dir, shard), "First": flux.Len() == 0})
		if err != nil {
			return err
		}
		flux.Write(part)
	}
	if flux.Len() > 0 {
		resources = append(resources, "shards.yaml")
		files[path.Join(dir, "shards.yaml")] = flux.Bytes()
	}
	content, err := execute(kustomizationTemplate, map[string]any{"Of": "The services of " + c.Environment, "Resources": resources})
	if err != nil {
		return err
	}
	files[path.Join(dir, "kustomization.yaml")] = content
	return nil
}

func execute(t *template.Template, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("template %s: %w", t.Name(), err)
	}
	return out.Bytes(), nil
}

// Stale lists the files that differ from what Generate returns, those that must go among them.
func Stale(root string, files map[string][]byte) ([]string, error) {
	var stale []string
	for name, content := range files {
		now, err := os.ReadFile(filepath.Join(root, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || !bytes.Equal(now, content) {
			stale = append(stale, name)
		}
	}
	dir := filepath.Join(root, services.FleetDir)
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == dir {
			return nil
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		if entry.IsDir() && relative == path.Join(services.FleetDir, Base) {
			return fs.SkipDir
		}
		// Environments have folders; beside them are the settings.
		if path.Dir(relative) == services.FleetDir && !entry.IsDir() {
			return nil
		}
		if _, wanted := files[relative]; !entry.IsDir() && !wanted {
			stale = append(stale, relative)
		}
		return nil
	})
	slices.Sort(stale)
	return stale, err
}

// Write makes the folder equal to files, and returns what it changed.
func Write(root string, files map[string][]byte) ([]string, error) {
	stale, err := Stale(root, files)
	if err != nil {
		return nil, err
	}
	for _, name := range stale {
		target := filepath.Join(root, name)
		content, wanted := files[name]
		if !wanted {
			if err := os.Remove(target); err != nil {
				return nil, err
			}
			// An empty shard is not left behind; a folder that still holds something is.
			_ = os.Remove(filepath.Dir(target))
			continue
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(target, content, 0o644); err != nil { //nolint:gosec // a file of the repository
			return nil, err
		}
	}
	return stale, nil
}

// Describe shortens a list of files for a message.
func Describe(files []string) string {
	const most = 3
	if len(files) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(files[:most], ", "), len(files)-most)
	}
	return strings.Join(files, ", ")
}
