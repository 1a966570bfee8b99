// Package platform reads local/platform.yaml: what this platform is made of, for the laboratory, which runs it without a
// container engine. Nothing else in the laboratory knows an application of the platform by name.
package platform

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/manifests/pinned"
	"k8s-plus-aws-gitops/local/imagefile"
	"k8s-plus-aws-gitops/local/npm"
	"k8s-plus-aws-gitops/local/procnode"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/standin"
)

// File is the declaration, in a checkout.
const File = "local/platform.yaml"

// Platform is the declaration.
type Platform struct {
	// Images are tried in order. An image that none matches is simulated: its pods are Ready without a process.
	Images []Image `json:"images"`
	// Charts are those that the local Helm repository serves, by name. internal/manifests/pinned knows the Go module of each.
	Charts []string `json:"charts,omitempty"`
	// Secrets are made in Secrets Manager before the stacks are deployed, where they are not there yet. Those that services
	// name get random values without an entry here.
	Secrets []Secret `json:"secrets,omitempty"`
	// URLs are listed with those of the laboratory itself.
	URLs []URL `json:"urls,omitempty"`
	// Mirror is a registry, or a path in one, that holds the released images which programs are taken out of, each below the
	// name of its own registry: ghcr.io/fluxcd/source-controller is at <mirror>/ghcr.io/fluxcd/source-controller.
	// GITOPS_LOCAL_REGISTRY takes its place. Default: none, the registries themselves.
	Mirror string `json:"mirror,omitempty"`
	// Hints are what a person may try next, printed when the system is up; ${GITOPS} is the tool.
	Hints []string `json:"hints,omitempty"`
}

// Image says what runs in the place of a container image. It has one of Program, NPM and StandIn; or of the fields of
// procnode's entry a Command alone, a program of the host. Of those fields, Command, Dir, Flags and Env may also contain
// ${MODULE}, the source of Program's Go module, and ${PACKAGE} and ${NODE}, the folder of NPM's package and its Node.js.
type Image struct {
	procnode.Image
	// Program is one of the programs that local/programs builds; Tags default to the tag of its version.
	Program string `json:"program,omitempty"`
	// NPM is an application from npm. Command starts it, by default in the package's folder; Tags default to its version.
	NPM *npm.Application `json:"npm,omitempty"`
	// StandIn is what the image answers, by a small HTTP program. The container's args are dropped.
	StandIn *standin.Program `json:"standIn,omitempty"`
	// AWS leads the AWS SDKs of the image to the local endpoint.
	AWS bool `json:"aws,omitempty"`
	// Builds is the repository, below the environment's name in the local registry, that a pipeline pushes own builds of the
	// image to. They run what the image runs. Their tags exist when they are pushed.
	Builds string `json:"builds,omitempty"`
}

// Secret is a value of Secrets Manager: one of Git and Random.
type Secret struct {
	// Name is the secret's, /<environment>/….
	Name string `json:"name"`
	// Git fills it with username and password of the account that may read, or write, the platform's repository.
	Git string `json:"git,omitempty"`
	// Random are keys that get random values.
	Random []string `json:"random,omitempty"`
}

// The values of Secret.Git.
const (
	GitRead  = "read"
	GitWrite = "write"
)

// URL is an address that the load balancers serve.
type URL struct {
	// Name is its label.
	Name string `json:"name"`
	// Host is a name below localhost.
	Host string `json:"host"`
	// Path begins with a slash.
	Path string `json:"path"`
	// Ready says that the system is up when this answers 200.
	Ready bool `json:"ready,omitempty"`
}

// At is the address at an HTTPS port.
func (u URL) At(port int) string { return fmt.Sprintf("https://%s:%d%s", u.Host, port, u.Path) }

// Ready are the URLs that must answer 200.
func (p *Platform) Ready() []URL {
	return slices.DeleteFunc(slices.Clone(p.URLs), func(u URL) bool { return !u.Ready })
}

// Programs are the programs of local/programs that the platform needs, in the order in which they are built, the control
// plane first.
func (p *Platform) Programs() []string {
	return slices.DeleteFunc(programs.Names(), func(name string) bool {
		return name != programs.ControlPlane && !slices.ContainsFunc(p.Images, func(i Image) bool { return i.Program == name })
	})
}

// Applications are the applications from npm.
func (p *Platform) Applications() []npm.Application {
	var all []npm.Application
	for _, i := range p.Images {
		if i.NPM != nil {
			all = append(all, *i.NPM)
		}
	}
	return all
}

// Load reads the declaration of a checkout. Its errors are all mistakes at once, each with its field.
func Load(checkout string) (*Platform, error) {
	raw, err := os.ReadFile(filepath.Join(checkout, filepath.FromSlash(File)))
	if err != nil {
		return nil, err
	}
	return parse(raw)
}

func parse(raw []byte) (*Platform, error) {
	p := &Platform{}
	if err := yaml.UnmarshalStrict(raw, p); err != nil {
		// The library's own prefix names its functions.
		text := strings.TrimPrefix(err.Error(), "error unmarshaling JSON: while decoding JSON: json: ")
		return nil, fmt.Errorf("%s: %s", File, strings.Join(strings.Fields(text), " "))
	}
	if err := p.validate(); err != nil {
		var b bytes.Buffer
		for i, line := range strings.Split(err.Error(), "\n") {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(File + ": " + line)
		}
		return nil, errors.New(b.String())
	}
	return p, nil
}

func (p *Platform) validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for n, i := range p.Images {
		if err := i.validate(); err != nil {
			add("images[%d] (%s): %w", n, i.Repository, err)
		}
	}
	if len(errs) == 0 { // the table's own rules, with places that are not known yet
		_, err := p.Table(anywhere{}, Place{Executable: "/gitops-local", Endpoint: "http://127.0.0.1:1", Registry: "localhost"})
		errs = append(errs, err)
	}
	if err := (imagefile.Registries{Mirror: p.Mirror}).Validate(); err != nil {
		add("mirror: %w", err)
	}
	for n, name := range p.Charts {
		if !slices.Contains(pinned.Charts(), name) {
			add("charts[%d]: must be one of %s, got %q: internal/manifests/pinned lists them", n, strings.Join(pinned.Charts(), ", "), name)
		}
	}
	for n, s := range p.Secrets {
		switch {
		case !strings.HasPrefix(s.Name, "/"):
			add("secrets[%d]: name: must begin with a slash, as /local/app/key, got %q", n, s.Name)
		case (s.Git == "") == (len(s.Random) == 0):
			add("secrets[%d] (%s): must have one of git and random", n, s.Name)
		case !slices.Contains([]string{"", GitRead, GitWrite}, s.Git):
			add("secrets[%d] (%s): git: must be %s or %s, got %q", n, s.Name, GitRead, GitWrite, s.Git)
		}
	}
	for n, u := range p.URLs {
		switch {
		case u.Name == "":
			add("urls[%d]: name: is missing: give a label for the table", n)
		case !strings.HasSuffix(u.Host, ".localhost"):
			add("urls[%d] (%s): host: must be a name below localhost, got %q", n, u.Name, u.Host)
		case !strings.HasPrefix(u.Path, "/"):
			add("urls[%d] (%s): path: must begin with a slash, got %q", n, u.Name, u.Path)
		}
	}
	return errors.Join(errs...)
}

// validate reports whether the image has one way to run, and a whole one.
func (i Image) validate() error {
	ways := 0
	for _, has := range []bool{i.Program != "", i.NPM != nil, i.StandIn != nil} {
		if has {
			ways++
		}
	}
	switch {
	case ways > 1 || ways == 0 && len(i.Command) == 0:
		return fmt.Errorf("must have one of program, npm and standIn, or a command of the host, got %d of them", ways)
	case i.Program != "":
		if _, err := programs.Tag(i.Program); err != nil {
			return fmt.Errorf("program: %w", err)
		}
	case i.NPM != nil:
		if err := i.NPM.Validate(); err != nil {
			return fmt.Errorf("npm: %w", err)
		}
		if len(i.Command) == 0 {
			return errors.New("command: is missing: give what starts the application, for example [\"${NODE}\", index.js]")
		}
	case i.StandIn != nil:
		if err := i.StandIn.Validate(); err != nil {
			return fmt.Errorf("standIn: %w", err)
		}
	}
	return nil
}
