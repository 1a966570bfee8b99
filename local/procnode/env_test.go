package procnode

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

func indexer(t *testing.T, objects ...any) cache.Indexer {
	t.Helper()
	i := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, o := range objects {
		if err := i.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func testSources(t *testing.T) sources {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ns", Name: name} }
	return sources{
		secrets:    corelisters.NewSecretLister(indexer(t, &corev1.Secret{ObjectMeta: meta("s"), Data: map[string][]byte{"user": []byte("u"), "password": []byte("p"), "bad=key": nil}})),
		configMaps: corelisters.NewConfigMapLister(indexer(t, &corev1.ConfigMap{ObjectMeta: meta("c"), Data: map[string]string{"user": "from-config", "host": "h"}})),
	}
}

func TestExpandVars(t *testing.T) {
	vars := map[string]string{"A": "1", "B": "$(A)"}
	for in, want := range map[string]string{
		"$(A)":       "1",
		"x$(A)y$(A)": "x1y1",
		"$$(A)":      "$(A)",
		"$$$(A)":     "$1",
		"$(B)":       "$(A)", // once only
		"$(C)":       "$(C)",
		"$(A":        "$(A",
		"$A":         "$A",
		"5$":         "5$",
		"":           "",
	} {
		if got := expandVars(in, func(k string) (string, bool) { v, ok := vars[k]; return v, ok }); got != want {
			t.Errorf("expandVars(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestContainerEnv(t *testing.T) {
	yes := true
	field := func(p string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: p}}
	}
	res := func(r string, divisor string) *corev1.EnvVarSource {
		ref := &corev1.ResourceFieldSelector{Resource: r}
		if divisor != "" {
			ref.Divisor = resource.MustParse(divisor)
		}
		return &corev1.EnvVarSource{ResourceFieldRef: ref}
	}
	secret := func(name, key string, optional *bool) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key, Optional: optional}}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", UID: "u1", Labels: map[string]string{"app": "x", "a/b": "y"}},
		Spec:       corev1.PodSpec{NodeName: "local", ServiceAccountName: "sa"},
	}
	for name, tt := range map[string]struct {
		from []corev1.EnvFromSource
		env  []corev1.EnvVar
		want map[string]string
		err  string
	}{
		"order and prefix": {
			from: []corev1.EnvFromSource{
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}},
				{Prefix: "C_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}},
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}, Optional: &yes}},
			},
			env:  []corev1.EnvVar{{Name: "user", Value: "own"}, {Name: "URL", Value: "$(user)@$(C_host) $(BASE) $(LATER)"}, {Name: "LATER", Value: "z"}},
			want: map[string]string{"user": "own", "password": "p", "C_user": "from-config", "C_host": "h", "URL": "own@h b $(LATER)", "LATER": "z"},
		},
		"fields": {
			env: []corev1.EnvVar{
				{Name: "NAME", ValueFrom: field("metadata.name")}, {Name: "NS", ValueFrom: field("metadata.namespace")},
				{Name: "UID", ValueFrom: field("metadata.uid")}, {Name: "APP", ValueFrom: field("metadata.labels['app']")},
				{Name: "AB", ValueFrom: field("metadata.labels['a/b']")}, {Name: "NODE", ValueFrom: field("spec.nodeName")},
				{Name: "SA", ValueFrom: field("spec.serviceAccountName")}, {Name: "IP", ValueFrom: field("status.podIP")}, {Name: "HOST", ValueFrom: field("status.hostIP")},
			},
			want: map[string]string{"NAME": "pod", "NS": "ns", "UID": "u1", "APP": "x", "AB": "y", "NODE": "local", "SA": "sa", "IP": "127.10.0.9", "HOST": "127.0.0.1"},
		},
		"resources": {
			env: []corev1.EnvVar{
				{Name: "CPU", ValueFrom: res("limits.cpu", "")}, {Name: "MILLI", ValueFrom: res("limits.cpu", "1m")},
				{Name: "MEM", ValueFrom: res("limits.memory", "")}, {Name: "MI", ValueFrom: res("limits.memory", "1Mi")}, {Name: "REQ", ValueFrom: res("requests.cpu", "1m")},
				{Name: "NONE", ValueFrom: res("requests.ephemeral-storage", "")},
			},
			want: map[string]string{"CPU": "2", "MILLI": "1500", "MEM": "134217728", "MI": "128", "REQ": "100", "NONE": "0"},
		},
		"secret key":           {env: []corev1.EnvVar{{Name: "P", ValueFrom: secret("s", "password", nil)}}, want: map[string]string{"P": "p"}},
		"optional key":         {env: []corev1.EnvVar{{Name: "P", ValueFrom: secret("s", "none", &yes)}}, want: map[string]string{}},
		"optional secret":      {env: []corev1.EnvVar{{Name: "P", ValueFrom: secret("none", "k", &yes)}}, want: map[string]string{}},
		"missing key":          {env: []corev1.EnvVar{{Name: "P", ValueFrom: secret("s", "none", nil)}}, err: `env P: couldn't find key none in secret "s"`},
		"missing secret":       {env: []corev1.EnvVar{{Name: "P", ValueFrom: secret("none", "k", nil)}}, err: `env P: secret "none" not found`},
		"missing envFrom":      {from: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}}}}, err: `configmap "none" not found`},
		"unknown field":        {env: []corev1.EnvVar{{Name: "X", ValueFrom: field("spec.hostname")}}, err: "fieldRef spec.hostname is not supported"},
		"unknown resource":     {env: []corev1.EnvVar{{Name: "X", ValueFrom: res("limits.gpu", "")}}, err: "resourceFieldRef limits.gpu is not supported"},
		"unsupported source":   {env: []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{}}}, err: "not supported"},
		"empty value is a var": {env: []corev1.EnvVar{{Name: "X"}}, want: map[string]string{"X": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &corev1.Container{Name: "c", EnvFrom: tt.from, Env: tt.env, Resources: corev1.ResourceRequirements{
				Limits:   corev1.ResourceList{"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("128Mi")},
				Requests: corev1.ResourceList{"cpu": resource.MustParse("100m")},
			}}
			got, err := testSources(t).containerEnv(pod, c, "127.10.0.9", map[string]string{"BASE": "b"})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
