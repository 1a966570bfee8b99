package procnode

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	listers "k8s.io/client-go/listers/core/v1"
)

// sources are where variables and volumes take their data from.
type sources struct {
	secrets    listers.SecretLister
	configMaps listers.ConfigMapLister
}

// configError is a reason why a container cannot be made now, CreateContainerConfigError to a kubelet.
type configError struct{ err error }

func (e *configError) Error() string { return e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

// containerEnv resolves envFrom and env of a container in their order, with $(VAR) of earlier variables (base included).
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func (s sources) containerEnv(pod *corev1.Pod, c *corev1.Container, bind string, base map[string]string) (map[string]string, error) {
	own := map[string]string{}
	for _, from := range c.EnvFrom {
		data, err := s.envFrom(pod.Namespace, from)
		if err != nil {
			return nil, &configError{err}
		}
		for k, v := range data {
			own[from.Prefix+k] = v
		}
	}
	lookup := func(name string) (string, bool) {
		if v, ok := own[name]; ok {
			return v, true
		}
		v, ok := base[name]
		return v, ok
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			own[e.Name] = expandVars(e.Value, lookup)
			continue
		}
		v, ok, err := s.valueFrom(pod, c, bind, e.ValueFrom)
		if err != nil {
			return nil, &configError{fmt.Errorf("env %s: %w", e.Name, err)}
		}
		if ok {
			own[e.Name] = v
		}
	}
	return own, nil
}

func (s sources) envFrom(namespace string, from corev1.EnvFromSource) (map[string]string, error) {
	out := map[string]string{}
	switch {
	case from.SecretRef != nil:
		data, err := s.secret(namespace, from.SecretRef.Name, from.SecretRef.Optional)
		if err != nil {
			return nil, err
		}
		for k, v := range data {
			out[k] = string(v)
		}
	case from.ConfigMapRef != nil:
		data, err := s.configMap(namespace, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		if err != nil {
			return nil, err
		}
		for k, v := range data {
			out[k] = string(v)
		}
	}
	maps.DeleteFunc(out, func(k, _ string) bool { return k == "" || strings.ContainsAny(k, "=\x00") })
	return out, nil
}

func (s sources) valueFrom(pod *corev1.Pod, c *corev1.Container, bind string, from *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case from.FieldRef != nil:
		v, err := fieldValue(pod, bind, from.FieldRef.FieldPath)
		return v, true, err
	case from.ResourceFieldRef != nil:
		if n := from.ResourceFieldRef.ContainerName; n != "" && n != c.Name {
			other, err := containerNamed(pod, n)
			if err != nil {
				return "", false, err
			}
			c = other
		}
		v, err := resourceValue(c, from.ResourceFieldRef)
		return v, true, err
	case from.SecretKeyRef != nil:
		r := from.SecretKeyRef
		data, err := s.secret(pod.Namespace, r.Name, r.Optional)
		if err != nil {
			return "", false, err
		}
		return keyOf("secret", r.Name, r.Key, r.Optional, data)
	case from.ConfigMapKeyRef != nil:
		r := from.ConfigMapKeyRef
		data, err := s.configMap(pod.Namespace, r.Name, r.Optional)
		if err != nil {
			return "", false, err
		}
		return keyOf("configmap", r.Name, r.Key, r.Optional, data)
	}
	return "", false, fmt.Errorf("this kind of valueFrom is not supported")
}

func keyOf(kind, name, key string, optional *bool, data map[string][]byte) (string, bool, error) {
	v, ok := data[key]
	if !ok && !isTrue(optional) {
		return "", false, fmt.Errorf("couldn't find key %s in %s %q", key, kind, name)
	}
	return string(v), ok, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// secret returns a Secret's data, nothing for an optional one that is absent.
func (s sources) secret(namespace, name string, optional *bool) (map[string][]byte, error) {
	o, err := s.secrets.Secrets(namespace).Get(name)
	if err != nil {
		return nil, absent("secret", name, optional, err)
	}
	return o.Data, nil
}

// configMap returns a ConfigMap's data and binary data, nothing for an optional one that is absent.
func (s sources) configMap(namespace, name string, optional *bool) (map[string][]byte, error) {
	o, err := s.configMaps.ConfigMaps(namespace).Get(name)
	if err != nil {
		return nil, absent("configmap", name, optional, err)
	}
	out := maps.Clone(o.BinaryData)
	if out == nil {
		out = map[string][]byte{}
	}
	for k, v := range o.Data {
		out[k] = []byte(v)
	}
	return out, nil
}

func absent(kind, name string, optional *bool, err error) error {
	switch {
	case isTrue(optional) && apierrors.IsNotFound(err):
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s %q not found", kind, name)
	}
	return fmt.Errorf("%s %q: %w", kind, name, err)
}

// expandVars replaces $(NAME); $$ stands for a dollar sign, and an unknown name stays as it is written.
func expandVars(s string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i += 2
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteString(s[i:])
				return b.String()
			}
			if v, ok := lookup(s[i+2 : i+end]); ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[i : i+end+1])
			}
			i += end + 1
		default:
			b.WriteByte('$')
			i++
		}
	}
	return b.String()
}

// environ writes variables as a process takes them, sorted so that two starts look the same.
func environ(env map[string]string) []string {
	out := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}
