package pipelines

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/buildspec"
	"k8s-plus-aws-gitops/local/system/source"
)

// build is one run of a CodeBuild project.
type build struct {
	*job
	project *Project
	action  *Action
	spec    *buildspec.Spec
	id      string // <project>:<uuid>
	// initiator is who started the build, as CodeBuild names it.
	initiator string
	dir       string // of this build's files
	src       string // the checkout
	out       *logWriter
	env       map[string]string
	began     time.Time
}

// build runs a project for an action. It waits for one of the places in which
// builds run: their paths stay the same, so that compilers' caches hit.
func (j *job) build(ctx context.Context, s *Stage, a *Action, state *ActionState) error {
	project := j.projects[a.text("ProjectName")]
	if project == nil {
		return fmt.Errorf("the stack has no project %q", a.text("ProjectName"))
	}
	kind, initiator := "CODEPIPELINE", "codepipeline/"+j.pipeline.Name
	if j.execution.About != "" {
		kind, initiator = cloneType, j.execution.Trigger
	}
	if project.Source.Type != kind {
		return fmt.Errorf("project %s has a source of type %q: only %s is run here", project.Name, project.Source.Type, kind)
	}
	var slot int
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case slot = <-j.slots:
	}
	defer func() { j.slots <- slot }()
	dir := filepath.Join(j.Root, "builds", fmt.Sprint(slot))
	b := &build{
		job: j, project: project, action: a, initiator: initiator, dir: dir, src: filepath.Join(dir, "src"), began: time.Now(),
		id: project.Name + ":" + executionID(j.execution.ID, s.Name, a.Name, fmt.Sprint(j.execution.Interruptions)),
	}
	log, err := os.OpenFile(j.logFile(s.Name, a.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	b.out = &logWriter{to: log}
	defer b.out.flush()
	if err := j.update(func() { state.Build, state.Log = b.id, log.Name() }); err != nil {
		return err
	}
	outputs, err := b.run(ctx)
	if uerr := j.update(func() { state.Outputs = outputs }); uerr != nil {
		return uerr
	}
	if err != nil && ctx.Err() == nil {
		err = b.explain(ctx, err)
		b.say("%v", err)
	}
	return err
}

// say writes a line into the log as CodeBuild does.
func (b *build) say(format string, args ...any) {
	fmt.Fprintf(b.out, "[Container] %s %s\n", time.Now().UTC().Format("2006/01/02 15:04:05.000000"), fmt.Sprintf(format, args...))
}

// explain puts the cause that the log holds before the failed command.
func (b *build) explain(ctx context.Context, err error) error {
	if b.Explain == nil {
		return err
	}
	b.out.flush()
	if cause := b.Explain(ctx, b.began, b.out.tail()); cause != "" {
		return fmt.Errorf("%s (%w)", cause, err)
	}
	return err
}

func (b *build) run(ctx context.Context) (outputs map[string]string, err error) {
	limit := time.Duration(cmp.Or(b.project.TimeoutInMinutes, 60)) * b.minute // CodeBuild's default is an hour
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the build has timed out after %s, the project's limit", limit))
	defer cancel()
	defer func() {
		// A program that the limit killed, such as git, says only that it was killed.
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = cause
		}
	}()
	b.say("Build %s of commit %s", b.id, b.execution.Commit)
	if err := b.inputs(ctx); err != nil {
		return nil, err
	}
	spec := b.project.Source.BuildSpec
	if strings.Contains(spec, "\n") {
		b.spec, err = buildspec.Parse([]byte(spec))
	} else {
		b.spec, err = buildspec.Load(b.src, cmp.Or(spec, "buildspec.yml"))
	}
	if err != nil {
		return nil, fmt.Errorf("YAML_FILE_ERROR: %w", err)
	}
	if err := b.environment(ctx); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.scratch()) // holds the variables, secrets among them
	if err := b.phases(ctx); err != nil {
		return nil, err
	}
	if err := b.upload(); err != nil {
		return nil, err
	}
	if err := b.keepPrograms(); err != nil {
		return nil, err
	}
	return b.exported()
}

// scratch holds what the commands of a build hand to each other.
func (b *build) scratch() string { return filepath.Join(b.dir, "tmp") }

// sourceOf is the action that makes an artifact of the repository, or nil for one
// that a build makes.
func (b *build) sourceOf(artifact string) *Action {
	if s := b.pipeline.source(); s != nil && slices.Contains(s.OutputArtifacts, Artifact{artifact}) {
		return s
	}
	return nil
}

// checkout makes the source: the commit's files, or a clone with history where
// the source action says so.
func (b *build) checkout(ctx context.Context, from *Action, dir string) error {
	commit := b.execution.Commit
	if from.text("OutputArtifactFormat") == "CODEBUILD_CLONE_REF" {
		if err := source.Clone(ctx, b.Repository, b.GitURL, commit, dir); err != nil {
			return err
		}
	} else if err := source.Export(ctx, b.Repository, commit, dir); err != nil {
		return err
	}
	if err := b.lendPrograms(dir); err != nil {
		return err
	}
	return b.restore(dir)
}

// restore gives the checkout the npm packages of the user's checkout when the
// lock files agree. CodeBuild's cache would do the like; installing them anew
// for each build would need the network each time.
func (b *build) restore(dir string) error {
	if b.Modules == "" {
		return nil
	}
	const lock = "package-lock.json"
	mine, its := text(filepath.Join(b.Modules, lock)), text(filepath.Join(dir, lock))
	marker, err := os.Stat(filepath.Join(b.Modules, "node_modules", ".package-lock.json"))
	if mine == "" || mine != its || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// make compares times: these files are as old as what was installed of them.
	old := marker.ModTime().Add(-time.Second)
	for _, name := range []string{lock, "package.json"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.Symlink(filepath.Join(b.Modules, "node_modules"), filepath.Join(dir, "node_modules"))
}

// text is a file's content, or empty without one.
func text(name string) string {
	raw, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(raw)
}

// environment gathers the variables: CodeBuild's own, the buildspec's, the
// project's, the action's, each over those before.
func (b *build) environment(ctx context.Context) error {
	b.env = b.codebuild()
	if err := b.signIn(ctx); err != nil {
		return err
	}
	for name, value := range b.spec.Env.Variables {
		// The cache is not kept between builds here. What would lie in it uses the
		// machine's own caches instead, which the tools know without being told.
		if !b.cached(value) {
			b.env[name] = value
		}
	}
	for name, reference := range b.spec.Env.Secrets {
		if err := b.set(ctx, Variable{Name: name, Type: "SECRETS_MANAGER", Value: reference}); err != nil {
			return err
		}
	}
	var own []Variable
	if raw := b.action.text("EnvironmentVariables"); raw != "" {
		if err := json.Unmarshal([]byte(raw), &own); err != nil {
			return fmt.Errorf("EnvironmentVariables of the action: %w", err)
		}
	}
	for _, v := range slices.Concat(b.project.Environment.EnvironmentVariables, own) {
		var err error
		if v.Value, err = b.expand(v.Value); err == nil {
			err = b.set(ctx, v)
		}
		if err != nil {
			return fmt.Errorf("variable %s: %w", v.Name, err)
		}
	}
	return nil
}

// cached reports whether a path lies in what the buildspec caches.
func (b *build) cached(path string) bool {
	for _, pattern := range b.spec.Cache {
		root := strings.TrimRight(pattern, "*/")
		if strings.HasPrefix(root, "/") && (path == root || strings.HasPrefix(path, root+"/")) {
			return true
		}
	}
	return false
}

// codebuild are the variables of the service, as a pipeline's build gets them:
// https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
func (b *build) codebuild() map[string]string {
	_, uuid, _ := strings.Cut(b.id, ":")
	env := map[string]string{
		"CODEBUILD_BUILD_ARN":        "arn:aws:codebuild:" + b.AWS.Region + ":" + b.Account + ":build/" + b.id,
		"CODEBUILD_BUILD_ID":         b.id,
		"CODEBUILD_BUILD_IMAGE":      b.project.Environment.Image,
		"CODEBUILD_BUILD_SUCCEEDING": "1",
		"CODEBUILD_BUILD_URL":        "file://" + b.out.to.Name(),
		"CODEBUILD_INITIATOR":        b.initiator,
		"CODEBUILD_LOG_PATH":         uuid,
		"CODEBUILD_SRC_DIR":          b.src,
		"CODEBUILD_START_TIME":       fmt.Sprint(b.began.UnixMilli()),
		"DOCKER_CONFIG":              filepath.Join(b.scratch(), "docker"),
		"GOFLAGS":                    strings.TrimSpace(os.Getenv("GOFLAGS") + " -buildvcs=false"), // by its commit each program would be another one
		"GIT_CEILING_DIRECTORIES":    b.dir,                                                        // the checkout may lie inside the user's own
	}
	for _, in := range b.action.InputArtifacts {
		switch {
		case in.Name != b.primary():
			env["CODEBUILD_SRC_DIR_"+in.Name] = b.inputDir(in.Name)
		case b.sourceOf(in.Name) != nil:
			env["CODEBUILD_RESOLVED_SOURCE_VERSION"] = b.execution.Commit // what another build made has no commit
		}
	}
	return env
}

// environ is the environment of the first command.
func (b *build) environ() []string {
	var out []string
	path := filepath.Join(b.Root, "bin")
	for _, e := range b.Environ {
		name, value, _ := strings.Cut(e, "=")
		if name == "PATH" {
			e = "PATH=" + path + string(os.PathListSeparator) + value
		}
		if _, ours := b.env[name]; !ours {
			out = append(out, e)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.env)) {
		out = append(out, name+"="+b.env[name])
	}
	return out
}

// linkTools makes the folder that every build has first on its PATH.
func (r *runner) linkTools() error {
	bin := filepath.Join(r.Root, "bin")
	if err := os.RemoveAll(bin); err != nil {
		return err
	}
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	for name, command := range r.Tools {
		words := make([]string, len(command))
		for i, w := range command {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		script := "#!/bin/sh\nexec " + strings.Join(words, " ") + ` "$@"` + "\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil { //nolint:gosec // a program
			return err
		}
	}
	return nil
}
