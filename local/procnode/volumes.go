package procnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// file is what a volume holds at one path.
type file struct {
	data []byte
	mode fs.FileMode
}

// volumeDir is where a volume of the pod lies.
func (x *pod) volumeDir(name string) string { return filepath.Join(x.dir, "volumes", name) }

// writeVolumes brings every volume of the pod to its present content.
func (x *pod) writeVolumes(ctx context.Context) error {
	spec := x.object()
	for i := range spec.Spec.Volumes {
		v := &spec.Spec.Volumes[i]
		files, err := x.volumeFiles(ctx, spec, v)
		if err != nil {
			return fmt.Errorf("MountVolume.SetUp failed for volume %q: %w", v.Name, err)
		}
		dir := x.volumeDir(v.Name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if files == nil { // emptyDir: the pod's own
			continue
		}
		if err := syncDir(dir, files); err != nil {
			return fmt.Errorf("volume %q: %w", v.Name, err)
		}
	}
	return nil
}

// volumeFiles returns the files of a volume, nil for one that the pod fills itself.
func (x *pod) volumeFiles(ctx context.Context, spec *corev1.Pod, v *corev1.Volume) (map[string]file, error) {
	src := x.node.sources
	switch {
	case v.EmptyDir != nil || v.VolumeSource == (corev1.VolumeSource{}):
		return nil, nil
	case v.Secret != nil:
		data, err := src.secret(spec.Namespace, v.Secret.SecretName, v.Secret.Optional)
		return project(data, v.Secret.Items, v.Secret.Optional, err)
	case v.ConfigMap != nil:
		data, err := src.configMap(spec.Namespace, v.ConfigMap.Name, v.ConfigMap.Optional)
		return project(data, v.ConfigMap.Items, v.ConfigMap.Optional, err)
	case v.DownwardAPI != nil:
		return x.downwardFiles(spec, v.DownwardAPI.Items)
	case v.Projected != nil:
		return x.projectedFiles(ctx, spec, v)
	}
	return nil, fmt.Errorf("this kind of volume is not supported: use emptyDir, secret, configMap, downwardAPI or projected")
}

func (x *pod) projectedFiles(ctx context.Context, spec *corev1.Pod, v *corev1.Volume) (map[string]file, error) {
	out := map[string]file{}
	for _, s := range v.Projected.Sources {
		var part map[string]file
		var err error
		switch {
		case s.ServiceAccountToken != nil:
			var token []byte
			token, err = x.tokens.get(ctx, spec, s.ServiceAccountToken)
			part = map[string]file{s.ServiceAccountToken.Path: {token, 0o600}}
		case s.Secret != nil:
			var data map[string][]byte
			data, err = x.node.sources.secret(spec.Namespace, s.Secret.Name, s.Secret.Optional)
			part, err = project(data, s.Secret.Items, s.Secret.Optional, err)
		case s.ConfigMap != nil:
			var data map[string][]byte
			data, err = x.node.sources.configMap(spec.Namespace, s.ConfigMap.Name, s.ConfigMap.Optional)
			part, err = project(data, s.ConfigMap.Items, s.ConfigMap.Optional, err)
		case s.DownwardAPI != nil:
			part, err = x.downwardFiles(spec, s.DownwardAPI.Items)
		default:
			err = errors.New("this kind of projected source is not supported")
		}
		if err != nil {
			return nil, err
		}
		for k, f := range part {
			out[k] = f
		}
	}
	return out, nil
}

// project lays out the keys of a Secret or ConfigMap as its items say. Files are readable by their owner only, whatever the
// mode: one user runs everything, and others on the machine have no business with them.
func project(data map[string][]byte, items []corev1.KeyToPath, optional *bool, err error) (map[string]file, error) {
	if err != nil {
		return nil, err
	}
	out := map[string]file{}
	if len(items) == 0 {
		for k, b := range data {
			out[k] = file{b, 0o600}
		}
		return out, nil
	}
	for _, it := range items {
		b, ok := data[it.Key]
		if !ok {
			if isTrue(optional) {
				continue
			}
			return nil, fmt.Errorf("references non-existent key: %s", it.Key)
		}
		mode := fs.FileMode(0o600)
		if it.Mode != nil {
			mode |= fs.FileMode(*it.Mode) & 0o100
		}
		out[it.Path] = file{b, mode}
	}
	return out, nil
}

func (x *pod) downwardFiles(spec *corev1.Pod, items []corev1.DownwardAPIVolumeFile) (map[string]file, error) {
	out := map[string]file{}
	for _, it := range items {
		var v string
		var err error
		switch {
		case it.FieldRef != nil:
			v, err = fieldValue(spec, x.bind, it.FieldRef.FieldPath)
		case it.ResourceFieldRef != nil:
			var c *corev1.Container
			if c, err = containerNamed(spec, it.ResourceFieldRef.ContainerName); err == nil {
				v, err = resourceValue(c, it.ResourceFieldRef)
			}
		}
		if err != nil {
			return nil, err
		}
		out[it.Path] = file{[]byte(v), 0o600}
	}
	return out, nil
}

// syncDir makes a directory hold exactly these files; each changes at once by a rename, so that a reader sees the old or the
// new content.
func syncDir(dir string, files map[string]file) error {
	for path, f := range files {
		if !filepath.IsLocal(path) {
			return fmt.Errorf("path %q leaves the volume", path)
		}
		if err := writeFile(filepath.Join(dir, path), f); err != nil {
			return err
		}
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if _, keep := files[filepath.ToSlash(rel)]; keep {
			return nil
		}
		return os.Remove(path)
	})
}

func writeFile(path string, f file) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, f.data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, f.data, f.mode)
}

// containerMounts are the container's mounts with their places on the host. Directories that subPath names in an emptyDir are
// made, as a kubelet does.
func (x *pod) containerMounts(spec *corev1.Pod, c *corev1.Container, env map[string]string) (mounts, error) {
	var out []mount
	for _, v := range c.VolumeMounts {
		sub := v.SubPath
		if v.SubPathExpr != "" {
			sub = expandVars(v.SubPathExpr, func(k string) (string, bool) { s, ok := env[k]; return s, ok })
		}
		if sub != "" && !filepath.IsLocal(sub) {
			return nil, &configError{fmt.Errorf("volume mount %s: subPath %q leaves the volume", v.Name, sub)}
		}
		host := filepath.Join(x.volumeDir(v.Name), sub)
		if sub != "" && ownsContent(spec, v.Name) {
			if err := os.MkdirAll(host, 0o755); err != nil {
				return nil, err
			}
		}
		out = append(out, mount{v.MountPath, host})
	}
	return newMounts(out), nil
}

func ownsContent(spec *corev1.Pod, volume string) bool {
	for _, v := range spec.Spec.Volumes {
		if v.Name == volume {
			return v.EmptyDir != nil
		}
	}
	return false
}
