package system

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/snapshot"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// restoredFrom saves a state with ports and restores it in another directory, without the key that needs a checkout.
func restoredFrom(t *testing.T, files map[string]string) (*System, *up, snapshot.Manifest) {
	t.Helper()
	from := newSystem(t)
	ports, err := from.Dir.ChoosePorts()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		for port, number := range ports {
			text = strings.ReplaceAll(text, "<"+port+">", itoa(number))
		}
		put(t, from.Dir.Path(name), strings.ReplaceAll(text, "<state>", from.Dir.Root))
	}
	store := &snapshot.Store{Dir: t.TempDir()}
	m, err := store.Save(t.Context(), from.Dir.Root, leftOut, snapshot.Manifest{Key: "abcd", Commit: "c", State: from.Dir.Root, Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	u := &up{System: newSystem(t), snapshots: store, o: UpOptions{Snapshot: "ab"}}
	return from, u, m
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func step(t *testing.T, name string, run func(*up) error, u *up) {
	t.Helper()
	if err := run(u); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestASnapshotGetsItsOwnPorts(t *testing.T) {
	stack := `{"Attributes":{"Endpoint":"https://127.0.0.1:<apiserver>","Endpoint.Port":"<database>"},"Other":"<database>1 127.0.0.1:80"}`
	from, u, m := restoredFrom(t, map[string]string{
		"cloud/stacks/s.json":               stack,
		"pods/u/identity.json":              `{"credentialsURL":"http://127.0.0.1:<aws>/x"}`,
		"pods/u/volumes/content.json":       "the pod's own: 127.0.0.1:<aws>",
		"deployments/000001.json":           `{"log":"<state>/deployments/000001.log"}`,
		"deployments/checkout/main.go":      "package main",
		"log/moto.log":                      "noise",
		"git/login":                         "password",
		"control/etcd/member/snap/db":       "objects",
		"pipelines/executions/d/1/log.json": `["<state>/pipelines"]`,
	})
	out := &progress.Output{}
	step(t, "restore", func(u *up) error { return u.restore(t.Context(), out) }, u)
	step(t, "ports", func(u *up) error { return u.choosePorts(t.Context(), out) }, u)
	for name, port := range u.ports {
		if old := from.ports(t)[name]; port == old {
			t.Errorf("port %s is still %d, that of a system that is there", name, port)
		}
	}
	want := strings.NewReplacer("<apiserver>", itoa(u.ports[layout.APIServer]), "<database>1", itoa(m.Ports[layout.Database])+"1", "<database>", itoa(u.ports[layout.Database]))
	if got := read(t, u.Dir.Path("cloud", "stacks", "s.json")); got != want.Replace(stack) {
		t.Errorf("stack %s", got)
	}
	for name, want := range map[string]string{
		"pods/u/identity.json":              `{"credentialsURL":"http://` + u.ports.Addr(layout.AWS) + `/x"}`,
		"pods/u/volumes/content.json":       "the pod's own: 127.0.0.1:" + itoa(m.Ports[layout.AWS]),
		"deployments/000001.json":           `{"log":"` + u.Dir.Root + `/deployments/000001.log"}`,
		"pipelines/executions/d/1/log.json": `["` + u.Dir.Root + `/pipelines"]`,
		"control/etcd/member/snap/db":       "objects",
	} {
		if got := read(t, u.Dir.Path(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"deployments/checkout", "log/moto.log", restoring} {
		if _, err := os.Stat(u.Dir.Path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is there", name)
		}
	}
	if got := read(t, u.Dir.Path("git", "login")); strings.Contains(got, "password") {
		t.Errorf("the login is the old one: %s", got)
	}
	if r := pending(u.Dir); r == nil || r.Key != "abcd" {
		t.Fatalf("pending: %+v", r)
	}
	// Again, as after a crash before the cluster moved: nothing changes.
	before := u.ports
	step(t, "ports", func(u *up) error { return u.choosePorts(t.Context(), out) }, u)
	if u.ports[layout.AWS] != before[layout.AWS] || read(t, u.Dir.Path("cloud", "stacks", "s.json")) != want.Replace(stack) {
		t.Error("the second time moves again")
	}
}

func (s *System) ports(t *testing.T) layout.Ports {
	t.Helper()
	p, err := s.Dir.LoadPorts()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestASnapshotOfASystemThatIsGoneKeepsItsPorts(t *testing.T) {
	from, u, m := restoredFrom(t, map[string]string{"cloud/x": "y"})
	if err := os.RemoveAll(from.Dir.Root); err != nil {
		t.Fatal(err)
	}
	step(t, "restore", func(u *up) error { return u.restore(t.Context(), &progress.Output{}) }, u)
	step(t, "ports", func(u *up) error { return u.choosePorts(t.Context(), &progress.Output{}) }, u)
	if got := u.System.ports(t); got[layout.AWS] != m.Ports[layout.AWS] || pending(u.Dir) != nil {
		t.Errorf("ports %v, want %v and nothing to move", got, m.Ports)
	}
}

// Two rehearsals on one base begin in the same second: before either listens, all ports are free.
func TestTwoSystemsOfASnapshotThatIsGoneHaveTheirOwnPorts(t *testing.T) {
	from, first, m := restoredFrom(t, map[string]string{"cloud/x": "y"})
	if err := os.RemoveAll(from.Dir.Root); err != nil {
		t.Fatal(err)
	}
	second := &up{System: newSystem(t), snapshots: first.snapshots, o: first.o}
	for _, u := range []*up{first, second} {
		step(t, "restore", func(u *up) error { return u.restore(t.Context(), &progress.Output{}) }, u)
		step(t, "ports", func(u *up) error { return u.choosePorts(t.Context(), &progress.Output{}) }, u)
	}
	a, b := first.System.ports(t), second.System.ports(t)
	if a[layout.AWS] != m.Ports[layout.AWS] {
		t.Errorf("the first has %v, want %v", a, m.Ports)
	}
	for name, port := range b {
		if a.URL(name) == b.URL(name) {
			t.Errorf("both have port %d for %s", port, name)
		}
	}
}

func TestADamagedSnapshotIsLeftAlone(t *testing.T) {
	_, u, _ := restoredFrom(t, map[string]string{"cloud/x": "y"})
	put(t, filepath.Join(u.snapshots.Dir, "abcd", "files", "cloud", "x"), "z")
	out := &progress.Output{}
	if err := u.restore(t.Context(), out); err == nil || !strings.Contains(err.Error(), "cloud/x is damaged") {
		t.Errorf("asked for by its key: %v", err)
	}
	if _, err := os.Stat(u.Dir.Path("cloud")); !os.IsNotExist(err) || !fresh(u.Dir) {
		t.Error("half of it is left")
	}
}

func TestHalfOfASnapshotIsCleared(t *testing.T) {
	_, u, _ := restoredFrom(t, map[string]string{"cloud/x": "y"})
	put(t, u.Dir.Path("cloud", "half"), "")
	put(t, u.Dir.Path("ports.json"), "{}")
	put(t, u.Dir.Path(restoring, "git", "x"), "")
	step(t, "restore", func(u *up) error { return u.restore(t.Context(), &progress.Output{}) }, u)
	if _, err := os.Stat(u.Dir.Path("cloud", "half")); !os.IsNotExist(err) {
		t.Error("what a killed run left is still there")
	}
	if got := read(t, u.Dir.Path("cloud", "x")); got != "y" || fresh(u.Dir) {
		t.Errorf("restored %q", got)
	}
	// A state that is there is not touched.
	put(t, u.Dir.Path("cloud", "x"), "mine")
	step(t, "restore", func(u *up) error { return u.restore(t.Context(), &progress.Output{}) }, u)
	if got := read(t, u.Dir.Path("cloud", "x")); got != "mine" {
		t.Errorf("the state was replaced: %q", got)
	}
}

func TestOnlyASystemAtRestIsSaved(t *testing.T) {
	s := newSystem(t)
	if _, err := s.SaveSnapshot(t.Context(), &snapshot.Store{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "not deployed") {
		t.Errorf("nothing deployed: %v", err)
	}
	if err := (&restored{Pending: true}).save(s.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.atRest(t.Context()); err == nil || !strings.Contains(err.Error(), "not started yet") {
		t.Errorf("a snapshot that was not started: %v", err)
	}
}

func TestThePodsWaitForTheirAddresses(t *testing.T) {
	plan := &supervise.Plan{Processes: []supervise.Process{{Name: controlPlane}, {Name: procNode, After: []string{controlPlane}}, {Name: albDaemon, After: []string{procNode}}, {Name: gitDaemon}}}
	some := withoutNode(plan)
	if err := supervise.SavePlan(t.TempDir(), some); err != nil {
		t.Error(err)
	}
	if len(some.Processes) != 2 || len(plan.Processes) != 4 {
		t.Errorf("%d of %d processes", len(some.Processes), len(plan.Processes))
	}
}

func TestRenew(t *testing.T) {
	r := restored{State: "/a", Ports: layout.Ports{layout.Database: 3306, layout.HTTPS: 8443, layout.AWS: 4566}}
	a := r.addresses(&layout.Dir{Root: "/b"}, layout.Ports{layout.Database: 20001, layout.HTTPS: 20002, layout.AWS: 4566})
	for text, want := range map[string]string{
		"3306":                             "20001",
		"8443":                             "8443", // a number that is no database's
		"13306":                            "13306",
		"https://ghost.localhost:8443/":    "https://ghost.localhost:20002/",
		"mysql://u:p@127.0.0.1:3306/ghost": "mysql://u:p@127.0.0.1:20001/ghost",
		"http://127.0.0.1:4566":            "http://127.0.0.1:4566",
		"10.0.0.1:3306":                    "10.0.0.1:3306",
		"127.0.0.1:33060":                  "127.0.0.1:33060",
	} {
		if got := a.renew(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got, want := renewObject(`{"host":"127.0.0.1","password":"3306x","port":3306}`, a.renew), `{"host":"127.0.0.1","password":"3306x","port":20001}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, text := range []string{"3306", `["3306"]`, "no object", `{"port": 5432}`} {
		if got := renewObject(text, a.renew); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
	var kept restored
	dir := &layout.Dir{Root: t.TempDir()}
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.ReadJSON(dir.Path(restoredFile), &kept); err != nil || kept.Ports[layout.HTTPS] != 8443 || pending(dir) != nil {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
