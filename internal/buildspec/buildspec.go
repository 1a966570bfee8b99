// Package buildspec reads CodeBuild's buildspec files, as far as this repository uses them, and refuses the rest by name:
// CodeBuild itself reports a mistake only after a merge, when the build starts.
// https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
package buildspec

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Spec is a buildspec.
type Spec struct {
	// Env are the variables of all phases. Those of the project and of the pipeline's action have precedence.
	Env Env
	// Phases in the order of their execution; those that the file leaves out are not there.
	Phases []Phase
	// Artifacts are the files that the pipeline hands on when its action makes one artifact, SecondaryArtifacts by their
	// names when it makes several. Nil: the file has no such section.
	Artifacts          *Artifacts
	SecondaryArtifacts map[string]*Artifacts
	// Cache are the patterns of files that are kept between builds.
	Cache []string
}

// Artifacts says which files an artifact holds. In its patterns * stays within a folder and ** crosses folders.
type Artifacts struct {
	// Files are patterns below BaseDirectory, of which Exclude are left out.
	Files, Exclude []string
	// BaseDirectory is a folder of the source, or a pattern of folders; default the source itself.
	BaseDirectory string
	// DiscardPaths is set when all files lie at the top of the artifact.
	DiscardPaths bool
}

// Env is the section env.
type Env struct {
	Variables           map[string]string
	Secrets             map[string]string // variables from Secrets Manager: <secret>[:<key>[:<stage>[:<version>]]]
	Exported            []string          // variables that later actions of the pipeline may read
	GitCredentialHelper bool              // whether git may use the connection that cloned the source
}

// Phase is a phase: its commands run one after the other in one shell, until one fails.
type Phase struct {
	Name     string
	Runtimes map[string]string // versions of languages that the image switches to
	Commands []string
	Finally  []string // run also after a failure
	// Continue is set when the next phase runs although this one failed, Abort when the file says that none does. With
	// neither, post_build runs after a failed build.
	Continue, Abort bool
}

// phaseNames in the order of their execution.
var phaseNames = []string{"install", "pre_build", "build", "post_build"}

// Load reads the file name below the folder root. Its errors have a line per problem: the file, the path in it, what is
// wrong, the remedy.
func Load(root, name string) (*Spec, error) {
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read, but a pipeline runs it; restore the file, or change infrastructure/delivery/project.go: %w", name, err)
	}
	spec, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, indent(err, name))
	}
	return spec, nil
}

// indent repeats the file's name before each further problem.
func indent(err error, name string) error {
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "\n", "\n"+name+": "))
}

// Parse reads a buildspec.
func Parse(content []byte) (*Spec, error) {
	var file any
	// Strict: of two equal keys one would be lost without a word.
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		said := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: yaml: ")
		return nil, fmt.Errorf("is no YAML: %s; correct the line", strings.Join(strings.Fields(strings.TrimPrefix(said, "unmarshal errors:")), " "))
	}
	r := &reader{}
	top := r.object("", file, "version", "env", "phases", "artifacts", "cache")
	if len(r.problems) > 0 && top == nil {
		return nil, errors.New(r.problems[0]) // everything else follows from it
	}
	switch version := top["version"]; {
	case version == nil:
		r.add("version", "write 0.2, the version that runs all commands in one shell", "is missing")
	case fmt.Sprint(version) != "0.2":
		r.add("version", "write 0.2, the version that runs all commands in one shell", "is %v", version)
	}
	spec := &Spec{Env: r.env(top["env"]), Phases: r.phases(top["phases"])}
	spec.Artifacts, spec.SecondaryArtifacts = r.artifacts(top["artifacts"])
	if top["cache"] != nil {
		spec.Cache = r.texts("cache.paths", r.object("cache", top["cache"], "paths")["paths"])
	}
	if len(r.problems) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(r.problems, "\n"))
	}
	return spec, nil
}

// reader collects problems.
type reader struct{ problems []string }

func (r *reader) add(path, remedy, format string, args ...any) {
	r.problems = append(r.problems, strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...)+"; "+remedy)
}

// object returns a mapping and reports keys that are not known.
func (r *reader) object(path string, value any, known ...string) map[string]any {
	if value == nil {
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		r.add(path, "write a mapping", "is no mapping")
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, key) {
			r.add(strings.TrimPrefix(path+"."+key, "."), "use one of "+strings.Join(known, ", "), "is not a known key")
		}
	}
	return object
}

// env reads the section env.
func (r *reader) env(value any) Env {
	section := r.object("env", value, "variables", "secrets-manager", "exported-variables", "git-credential-helper", "shell")
	env := Env{
		Variables: r.values("env.variables", section["variables"]),
		Secrets:   r.values("env.secrets-manager", section["secrets-manager"]),
		Exported:  r.texts("env.exported-variables", section["exported-variables"]),
	}
	for i, name := range env.Exported {
		if !Name(name) {
			r.add(fmt.Sprintf("env.exported-variables[%d]", i), "use letters, digits and _", "%q is no name of a variable", name)
		}
	}
	env.GitCredentialHelper = r.yes("env.git-credential-helper", section["git-credential-helper"])
	if shell := section["shell"]; shell != nil && shell != "bash" {
		r.add("env.shell", "write bash, or leave it out", "is %v", shell)
	}
	return env
}

// variable is the name of a variable in a shell.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Name tells whether a text can be the name of a variable.
func Name(text string) bool { return variable.MatchString(text) }

// values reads a mapping of variables.
func (r *reader) values(path string, value any) map[string]string {
	all := map[string]string{}
	section, ok := value.(map[string]any)
	if !ok && value != nil {
		r.add(path, "write a mapping of names to values", "is no mapping")
	}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		if !Name(name) {
			r.add(path+"."+name, "use letters, digits and _", "%q is no name of a variable", name)
		}
		all[name] = r.scalar(path+"."+name, section[name])
	}
	return all
}

// phases reads the section phases.
func (r *reader) phases(value any) []Phase {
	section := r.object("phases", value, phaseNames...)
	var phases []Phase
	for _, name := range phaseNames {
		if section[name] == nil {
			continue
		}
		path := "phases." + name
		in := r.object(path, section[name], "runtime-versions", "commands", "finally", "on-failure")
		p := Phase{Name: name, Commands: r.texts(path+".commands", in["commands"]), Finally: r.texts(path+".finally", in["finally"])}
		if versions, ok := in["runtime-versions"].(map[string]any); ok {
			p.Runtimes = map[string]string{}
			for language, version := range versions {
				p.Runtimes[language] = r.scalar(path+".runtime-versions."+language, version)
			}
			if name != "install" {
				r.add(path+".runtime-versions", "move it to phases.install", "is read in phase install only")
			}
		}
		switch in["on-failure"] {
		case nil:
		case "ABORT":
			p.Abort = true
		case "CONTINUE":
			p.Continue = true
		default:
			r.add(path+".on-failure", "write ABORT or CONTINUE", "is %v", in["on-failure"])
		}
		phases = append(phases, p)
	}
	if !slices.ContainsFunc(phases, func(p Phase) bool { return len(p.Commands) > 0 }) && !r.under("phases") {
		r.add("phases", "give phase build its commands", "has no commands")
	}
	return phases
}

// artifactKeys are those of an artifact that a pipeline takes: name is for those in S3.
var artifactKeys = []string{"files", "base-directory", "exclude-paths", "discard-paths"}

// artifacts reads the section artifacts: the one artifact, and those of a pipeline's action that makes several.
func (r *reader) artifacts(value any) (*Artifacts, map[string]*Artifacts) {
	if value == nil {
		return nil, nil
	}
	section := r.object("artifacts", value, append([]string{"secondary-artifacts"}, artifactKeys...)...)
	several, ok := section["secondary-artifacts"].(map[string]any)
	if !ok && section["secondary-artifacts"] != nil {
		r.add("artifacts.secondary-artifacts", "write a mapping of names to artifacts", "is no mapping")
	}
	secondary := map[string]*Artifacts{}
	for _, name := range slices.Sorted(maps.Keys(several)) {
		path := "artifacts.secondary-artifacts." + name
		secondary[name] = r.artifact(path, r.object(path, several[name], artifactKeys...))
	}
	if len(secondary) > 0 && section["files"] == nil {
		return nil, secondary
	}
	return r.artifact("artifacts", section), secondary
}

// artifact reads which files an artifact holds.
func (r *reader) artifact(path string, in map[string]any) *Artifacts {
	a := &Artifacts{
		Files:         r.texts(path+".files", in["files"]),
		Exclude:       r.texts(path+".exclude-paths", in["exclude-paths"]),
		DiscardPaths:  r.yes(path+".discard-paths", in["discard-paths"]),
		BaseDirectory: ".",
	}
	if len(a.Files) == 0 && !r.under(path) {
		r.add(path+".files", "list them, or '**/*' for all", "is missing")
	}
	for i, p := range a.Files {
		a.Files[i] = r.path(fmt.Sprintf("%s.files[%d]", path, i), p)
	}
	for i, p := range a.Exclude {
		a.Exclude[i] = r.path(fmt.Sprintf("%s.exclude-paths[%d]", path, i), p)
	}
	if base := in["base-directory"]; base != nil {
		a.BaseDirectory = r.path(path+".base-directory", r.scalar(path+".base-directory", base))
	}
	return a
}

// path cleans the pattern of a file below the source.
func (r *reader) path(path, pattern string) string {
	if pattern != "" && (!filepath.IsLocal(pattern) || strings.Contains(pattern, "$")) {
		r.add(path, "write a path below the source, without variables", "%q leads elsewhere", pattern)
	}
	return filepath.ToSlash(filepath.Clean(pattern))
}

// yes reads a switch.
func (r *reader) yes(path string, value any) bool {
	switch value {
	case nil, "no", false:
		return false
	case "yes", true:
		return true
	}
	r.add(path, "write yes or no", "is %v", value)
	return false
}

// under tells whether a problem at path or below was found.
func (r *reader) under(path string) bool {
	return slices.ContainsFunc(r.problems, func(p string) bool { return strings.HasPrefix(p, path+":") || strings.HasPrefix(p, path+".") })
}

// texts reads a list of strings.
func (r *reader) texts(path string, value any) []string {
	if value == nil {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		r.add(path, "begin each with \"- \"", "is no list")
		return nil
	}
	texts := make([]string, 0, len(list))
	for i, item := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch text := item.(type) {
		case string:
			if strings.TrimSpace(text) == "" {
				r.add(at, "remove it", "is empty")
			}
			texts = append(texts, text)
		case map[string]any:
			r.add(at, "quote the line: YAML takes \": \" for a mapping", "is no string")
		default:
			r.add(at, "quote it", "is no string")
		}
	}
	return texts
}

// scalar reads a value that CodeBuild takes as text.
func (r *reader) scalar(path string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	r.add(path, "write text in quotes", "is no text")
	return ""
}
