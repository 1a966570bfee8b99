package procnode

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestArguments(t *testing.T) {
	p := places{ip: "127.10.0.1", dir: "/pods/u", mounts: newMounts([]mount{{"/data", "/pods/u/volumes/d"}})}
	vars := map[string]string{"NS": "flux-system"}
	for name, tt := range map[string]struct {
		im            Image
		command, args []string
		want          []string
	}{
		"flags replaced in every form": {
			im:   Image{Command: []string{"/bin/x"}, Flags: map[string]string{"--addr": "${IP}:80", "--data": "${mount:/data}"}, Remove: []string{"--lease"}},
			args: []string{"--addr=:80", "--data", "/data", "--keep", "v", "--lease", "--ns=$(NS)", "--path=/data/x"},
			want: []string{"/bin/x", "--keep", "v", "--ns=flux-system", "--path=/pods/u/volumes/d/x", "--addr=127.10.0.1:80", "--data=/pods/u/volumes/d"},
		},
		"container command replaced": {
			im: Image{Command: []string{"/bin/x", "sub"}}, command: []string{"/manager"}, args: []string{"a"},
			want: []string{"/bin/x", "sub", "a"},
		},
		"container command kept": {
			im: Image{}, command: []string{"/bin/sh", "-c"}, args: []string{"cat /data/x"},
			want: []string{"/bin/sh", "-c", "cat /pods/u/volumes/d/x"},
		},
		"args dropped": {
			im: Image{Command: []string{"${DIR}/x"}, Args: "drop", Flags: map[string]string{"--a": "1"}}, args: []string{"--b"},
			want: []string{"/pods/u/x", "--a=1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &corev1.Container{Command: tt.command, Args: tt.args}
			got, err := arguments(c, &tt.im, p, func(k string) (string, bool) { v, ok := vars[k]; return v, ok })
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	if _, err := arguments(&corev1.Container{}, &Image{Repository: "a/b"}, p, nil); err == nil {
		t.Error("nothing to run is no error")
	}
}
