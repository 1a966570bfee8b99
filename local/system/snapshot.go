package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/endpoint/moto"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/snapshot"
	"k8s-plus-aws-gitops/local/system/source"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// NoSnapshot is UpOptions.Snapshot for a system that is made from nothing.
const NoSnapshot = "none"

// written is what Flux writes to the platform's repository of every system: the tags of images that only it has.
const written = "k8s/clusters/" + environment + "/images.yaml"

// SnapshotKey is the key of what Up makes of a commit of a repository, which may be bare: its files without tests and
// documentation, the programs, the applications, and the servers behind the AWS API. A snapshot of the same key is such a
// system.
func SnapshotKey(ctx context.Context, declared *platform.Platform, repository, commit string) (string, error) {
	tree, err := source.Tree(ctx, repository, commit)
	if err != nil {
		return "", err
	}
	parts := map[string]string{"moto": moto.Version()}
	if parts["mariadb"], err = database.Version(ctx); err != nil {
		return "", err
	}
	all, err := ProgramSource(programs.Auto, declared)
	if err != nil {
		return "", err
	}
	binaries, err := all.List(ctx, declared.Programs()...)
	if err != nil {
		return "", err
	}
	for _, b := range binaries {
		if b.Path == "" {
			return "", fmt.Errorf("%s is not built yet; run 'gitops local up'", b.Name)
		}
		parts["program "+b.Name] = filepath.Base(filepath.Dir(b.Path))
	}
	for _, a := range declared.Applications() {
		parts["application "+a.Package] = a.Version + " " + a.Integrity
	}
	return snapshot.Key(snapshot.Content{Tree: tree, Parts: parts}, written), nil
}

// SaveSnapshot keeps a copy of the state, with which later systems of the same content begin: `up` on a new state directory
// finds it by its key. The system must be stopped and have come to rest: its stacks deployed, its pipelines done and its
// last commit released. Data that people wrote into it comes along. The copy takes about 150 MB; old ones are removed, see
// [snapshot.Store].
func (s *System) SaveSnapshot(ctx context.Context, store *snapshot.Store) (snapshot.Manifest, error) {
	var m snapshot.Manifest
	if !s.Dir.Ours() {
		return m, fmt.Errorf("no local system in %s: run `gitops local up`", s.Dir.Root)
	}
	lock, err := s.Dir.Acquire("snapshot save")
	if err != nil {
		return m, err
	}
	defer lock.Release()
	if m.Commit, err = s.atRest(ctx); err != nil {
		return m, err
	}
	declared, err := platform.Load(s.Dir.Repo)
	if err != nil {
		return m, err
	}
	if m.Key, err = SnapshotKey(ctx, declared, s.Dir.Repository(), m.Commit); err != nil {
		return m, err
	}
	ports, err := s.Dir.LoadPorts()
	if err != nil {
		return m, err
	}
	m.State, m.Ports = s.Dir.Root, ports
	save := progress.Step{Name: "Save the snapshot", Run: func(ctx context.Context, out *progress.Output) error {
		m, err = store.Save(ctx, s.Dir.Root, leftOut, m)
		out.Result("%d files, %d MB", len(m.Files), m.Bytes>>20)
		return err
	}}
	return m, progress.Runner{Display: s.Display}.Run(ctx, []progress.Step{save})
}

// atRest returns the commit of a system that is stopped and had nothing left to do.
func (s *System) atRest(ctx context.Context) (string, error) {
	for _, r := range supervise.All(s.Dir.Path("run")) {
		if r.Running {
			return "", errors.New("the local system runs, and its databases are not at rest: stop it with `gitops local down`")
		}
	}
	if pending(s.Dir) != nil {
		return "", errors.New("the state is of a snapshot that was not started yet: run `gitops local up`, then `down`")
	}
	if last, ok := deploy.Last(s.Dir); !ok || !last.OK {
		return "", errors.New("the stacks were not deployed: run `gitops local up`")
	}
	if err := idle(pipelines.Folder(s.Dir)); err != nil {
		return "", fmt.Errorf("%w: start the system, and stop it when `gitops local status` shows none at work", err)
	}
	head, err := source.Head(ctx, s.Dir.Repository())
	if err != nil {
		return "", err
	}
	released, err := source.Resolve(ctx, s.Dir.Repository(), "refs/heads/"+config.ReleasedPrefix+environment)
	if err != nil {
		return "", err
	}
	if released != head {
		return "", fmt.Errorf("main@%.8s is not released, %.8s is: let the pipelines release it first", head, released)
	}
	return head, nil
}

// leftOut are the files of a state directory that Up writes anew, that belong to one place, or that are of no use later.
func leftOut(name string) bool {
	switch top, _, _ := strings.Cut(name, "/"); top {
	case "run", "log", "tmp", "env", "kubeconfig", "images.yaml", ".gitops-state", ".gitignore", restoring, restoredFile:
		return true
	}
	switch name {
	case "deployments/checkout", "deployments/checkout.index", "deployments/synthesized", "pipelines/builds", "git/login":
		return true
	}
	return path.Base(name) == "mariadbd.pid" || path.Base(name) == ".lock"
}

const (
	// restoring is the folder into which a snapshot is copied before its files take their place.
	restoring = ".restoring"
	// restoredFile tells that the state is of a snapshot, and of which.
	restoredFile = "snapshot.json"
)

// restored is what restoredFile holds.
type restored struct {
	Key, Commit string
	// State and Ports are those of the system that the snapshot is of.
	State string
	Ports layout.Ports
	// Pending is true until the cluster has this system's ports.
	Pending bool
}

func (r *restored) save(d *layout.Dir) error { return atomicfile.WriteJSON(d.Path(restoredFile), r) }

// pending returns the snapshot whose addresses are still in the cluster, or nil.
func pending(d *layout.Dir) *restored {
	r := &restored{}
	if err := atomicfile.ReadJSON(d.Path(restoredFile), r); err != nil || !r.Pending {
		return nil
	}
	return r
}

// fresh reports whether a directory has no state yet, or only half of a snapshot.
func fresh(d *layout.Dir) bool {
	if _, err := os.Stat(d.Path(restoring)); err == nil {
		return true
	}
	for _, name := range []string{"ports.json", restoredFile} {
		if _, err := os.Stat(d.Path(name)); err == nil {
			return false
		}
	}
	return true
}

// restore begins a new system with the snapshot of what it would be, if there is one. One that is damaged is told, and the
// system is made from nothing, unless it was asked for by its key.
func (u *up) restore(ctx context.Context, out *progress.Output) error {
	if !fresh(u.Dir) {
		out.Result("the state is there")
		return nil
	}
	if u.o.Snapshot == NoSnapshot {
		out.Result("not wanted")
		return u.clear()
	}
	m, err := u.findSnapshot(ctx)
	if errors.Is(err, snapshot.ErrNone) && u.o.Snapshot == "" {
		out.Result("there is none of this commit")
		return u.clear()
	}
	if err != nil {
		return err
	}
	if err := u.clear(); err != nil {
		return err
	}
	out.Note("copying %d MB", m.Bytes>>20)
	if err = u.snapshots.Restore(ctx, m, u.Dir.Path(restoring)); err == nil {
		err = u.settle(m)
	}
	if err != nil {
		err = errors.Join(err, u.clear())
		if u.o.Snapshot != "" || ctx.Err() != nil {
			return err
		}
		fmt.Fprintln(out, err)
		out.Result("%.12s is not used: %v", m.Key, err)
		return nil
	}
	out.Result("%.12s of %s", m.Key, m.Made.Local().Format("2006-01-02 15:04"))
	return nil
}

func (u *up) findSnapshot(ctx context.Context) (snapshot.Manifest, error) {
	key := u.o.Snapshot
	if key == "" {
		if all, err := u.snapshots.List(); err != nil || len(all) == 0 {
			return snapshot.Manifest{}, errors.Join(err, snapshot.ErrNone)
		}
		if key, err := SnapshotKey(ctx, u.platform, u.Dir.Repo, "HEAD"); err == nil {
			return u.snapshots.Find(key)
		}
		return snapshot.Manifest{}, snapshot.ErrNone // a step below says what is missing, and mends it
	}
	return u.snapshots.Find(key)
}

// clear removes what an interrupted restoration left in a directory that has no state yet.
func (u *up) clear() error {
	if _, err := os.Stat(u.Dir.Path(restoring)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	entries, err := os.ReadDir(u.Dir.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case "run", "log", "tmp", ".gitops-state", ".gitignore", restoring:
		default:
			if err := os.RemoveAll(u.Dir.Path(e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.RemoveAll(u.Dir.Path(restoring)); err != nil {
		return err
	}
	return u.Dir.Create()
}

// settle moves the copied files to their places. The empty folder that goes last says that all are there.
func (u *up) settle(m snapshot.Manifest) error {
	entries, err := os.ReadDir(u.Dir.Path(restoring))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(u.Dir.Path(e.Name())); err != nil { // the empty folders of Create
			return err
		}
		if err := os.Rename(u.Dir.Path(restoring, e.Name()), u.Dir.Path(e.Name())); err != nil {
			return err
		}
	}
	r := restored{Key: m.Key, Commit: m.Commit, State: m.State, Ports: m.Ports, Pending: true}
	keeps, err := u.keepsPorts(r)
	if err != nil {
		return err
	}
	if !keeps {
		if err := os.Remove(u.Dir.Path("ports.json")); err != nil {
			return err
		}
	}
	if err := r.save(u.Dir); err != nil {
		return err
	}
	return os.Remove(u.Dir.Path(restoring))
}

// keepsPorts reports whether the system may have the ports of the one that the snapshot is of, which saves a rollout: that
// one is gone, nobody else listens there, and nobody else is about to.
func (u *up) keepsPorts(r restored) (bool, error) {
	if _, err := os.Stat(filepath.Join(r.State, "ports.json")); err == nil && r.State != u.Dir.Root {
		return false, nil
	}
	release, ok, err := u.snapshots.ClaimPorts(r.Key)
	if err != nil || !ok {
		return false, err
	}
	free := u.Dir.CheckFree(r.Ports, portNames(r.Ports)...) == nil
	if free {
		u.release = release
	} else {
		release()
	}
	return free, nil
}
