package fleet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/layout"
)

// system is a checkout and the local system that runs it.
type system struct {
	root, repo string
	dir        *layout.Dir
	// keep leaves both there at the end.
	keep bool
}

// environment is that of the local system in cdk.json.
const environment = "local"

func branch(service string) string { return environment + "/" + service }

// image is one that nothing on the machine stands for: its pods are simulated.
func image(service string, version int) string {
	return fmt.Sprintf("registry.example.com/bench/%s:1.0.%d", service, version)
}

// serviceFile has the usual parts of a service, a call to one of the examples among them. There is no host and no secret: both would measure the AWS half.
const serviceFile = `image: %s
port: 8080
health: {path: /healthz}
environment:
  LOG_LEVEL: info
  PUBLIC_URL: https://%s.${DOMAIN}
calls: [npm]
replicas: 1
`

func (s *system) file(service string) string {
	return filepath.Join(s.repo, services.FilesDir, service+".yaml")
}

// write adds services to the checkout.
func (s *system) write(names []string) error {
	for _, name := range names {
		if err := s.set(name, 0); err != nil {
			return err
		}
	}
	return nil
}

// set writes the file of one service, with a version of its image.
func (s *system) set(name string, version int) error {
	return os.WriteFile(s.file(name), fmt.Appendf(nil, serviceFile, image(name, version), name), 0o644) //nolint:gosec // a file of a repository
}

// up makes the checkout and brings the system up. Both are used as they are when they are there already.
func (s *system) up(ctx context.Context) error {
	if _, err := os.Stat(s.repo); os.IsNotExist(err) {
		if err := s.clone(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "bringing up a local system in %s\n", s.dir.Root)
	if _, err := s.gitops(ctx, "local", "up", "--snapshot", "none"); err != nil {
		return err
	}
	return s.idle(ctx)
}

// idle waits until the pipelines have ended, which run once when they are created: what they do would be measured too.
func (s *system) idle(ctx context.Context) error {
	for {
		all, err := pipelines.List(pipelines.Folder(s.dir))
		if err != nil || len(all) > 0 && !slices.ContainsFunc(all, func(e *pipelines.Execution) bool { return !e.Status.Ended() }) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// clone makes a checkout of what is measured: HEAD and what is not committed yet.
func (s *system) clone(ctx context.Context) error {
	if _, err := s.run(ctx, s.root, nil, "git", "clone", "--quiet", "--no-hardlinks", s.root, s.repo); err != nil {
		return err
	}
	diff, err := s.run(ctx, s.root, nil, "git", "diff", "--binary", "HEAD")
	if err == nil && diff != "" {
		_, err = s.run(ctx, s.repo, []byte(diff), "git", "apply", "--whitespace=nowarn")
	}
	if err != nil {
		return err
	}
	for _, kv := range [][2]string{{"user.name", "bench"}, {"user.email", "bench@localhost"}, {"gc.auto", "0"}} {
		if _, err := s.run(ctx, s.repo, nil, "git", "config", kv[0], kv[1]); err != nil {
			return err
		}
	}
	if err := s.longInterval(); err != nil {
		return err
	}
	if _, err := s.run(ctx, s.repo, nil, "git", "commit", "--quiet", "--all", "--allow-empty", "--no-verify", "-m", "Measure this"); err != nil {
		return err
	}
	if _, err := s.run(ctx, s.repo, nil, "make", "--silent", "bin/gitops", "bin/gitops-local", "bin/services"); err != nil {
		return err
	}
	return nil
}

// longInterval follows docs/guides/services.md for large fleets: the webhook tells Flux of a push, and it looks by itself
// once in 10 minutes. At the default of 30 s a thousand sources alone would keep a small machine busy.
func (s *system) longInterval() error {
	file := filepath.Join(s.repo, services.ConfigFile)
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const is, wanted = "\ninterval: 30s\n", "\ninterval: 10m\n"
	if n := bytes.Count(content, []byte(is)); n != 1 {
		return fmt.Errorf("%s: %q is in it %d times, not once: correct the bench", services.ConfigFile, strings.TrimSpace(is), n)
	}
	return os.WriteFile(file, bytes.Replace(content, []byte(is), []byte(wanted), 1), 0o644) //nolint:gosec // a file of a repository
}

// remove stops the system and takes everything away, unless it is kept.
func (s *system) remove(ctx context.Context) error {
	if s.keep {
		return nil
	}
	if s.dir.Ours() {
		if _, err := s.gitops(ctx, "local", "reset", "--yes"); err != nil {
			return fmt.Errorf("%s is left: %w", s.dir.Root, err)
		}
	}
	return os.RemoveAll(filepath.Dir(s.repo))
}

// commit generates the fleet and commits it with the service files.
func (s *system) commit(ctx context.Context, message string) error {
	if _, err := s.gitops(ctx, "generate"); err != nil {
		return err
	}
	if _, err := s.run(ctx, s.repo, nil, "git", "add", "--all", services.FilesDir, services.FleetDir); err != nil {
		return err
	}
	_, err := s.run(ctx, s.repo, nil, "git", "commit", "--quiet", "--no-verify", "-m", message)
	return err
}

// publish renders and pushes services to their branches; without names all of them.
func (s *system) publish(ctx context.Context, names ...string) error {
	_, err := s.gitops(ctx, append([]string{"service", "publish", "--env", environment}, names...)...)
	return err
}

// push sends the checkout to the platform's repository, and returns when it was there.
func (s *system) push(ctx context.Context, message string) (time.Time, error) {
	if _, err := s.gitops(ctx, "local", "push", "--no-wait", "--message", message); err != nil {
		return time.Time{}, err
	}
	return s.pushedAt("platform", "main")
}

// pushedAt is when a branch of a repository of the local Git server got its last commit: git writes the file then, before
// anybody is told.
func (s *system) pushedAt(repository, branch string) (time.Time, error) {
	info, err := os.Stat(s.dir.Path("git", repository+".git", "refs", "heads", filepath.FromSlash(branch)))
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// tip is the commit of a branch.
func (s *system) tip(ctx context.Context, repository, branch string) (string, error) {
	out, err := s.run(ctx, s.dir.Path("git", repository+".git"), nil, "git", "rev-parse", "refs/heads/"+branch)
	return strings.TrimSpace(out), err
}

// gitops runs the tool in the checkout. Commands of the plug-in are told the state directory, the others ask the plug-in
// for it.
func (s *system) gitops(ctx context.Context, args ...string) (string, error) {
	if args[0] == "local" {
		args = append(args, "--state", s.dir.Root)
	}
	return s.run(ctx, s.repo, nil, filepath.Join(s.repo, "bin", "gitops"), args...)
}

func (s *system) run(ctx context.Context, dir string, in []byte, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin, cmd.Env = dir, bytes.NewReader(in), append(os.Environ(), "GITOPS_LOCAL_STATE="+s.dir.Root)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 90 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		said := strings.Join(strings.Fields(out.String()+errs.String()), " ")
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args[:min(2, len(args))], " "), err, said[max(0, len(said)-1500):])
	}
	return out.String(), nil
}

// made matches the names that the bench gives to services.
var made = regexp.MustCompile(`^b(ench|[0-9a-f]+)\d+-\d{4}(-more)?$`)

func mine(service string) bool { return made.MatchString(service) }

// unlist removes the files of all services of the bench, and returns their names.
func (s *system) unlist() ([]string, error) {
	files, err := filepath.Glob(s.file("b*"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if !mine(name) {
			continue
		}
		if err := os.Remove(file); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
