package platform

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/local/npm"
	"k8s-plus-aws-gitops/local/procnode"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/standin"
)

const root = "../.."

var here = Place{Executable: "/bin/gitops-local", Endpoint: "http://127.0.0.1:1", Region: "eu-west-1", Registry: "registry.localhost/*"}

// installed is a machine on which everything is at a place that tests know.
type installed struct{}

func (installed) Binary(program string) string { return "/cache/" + program }
func (installed) Module(program string) (string, error) {
	return "/mod/" + program, nil
}
func (installed) Package(a npm.Application) (npm.Installed, error) {
	return npm.Installed{Dir: "/cache/" + a.Package, Node: "/cache/node"}, nil
}

func table(t *testing.T, p *Platform) procnode.Table {
	t.Helper()
	made, err := p.Table(installed{}, here)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func lookup(t *testing.T, from procnode.Table, reference string) procnode.Image {
	t.Helper()
	found, err := from.Lookup(reference)
	if err != nil || found == nil {
		t.Fatalf("%s: %v, %v", reference, found, err)
	}
	return *found
}

// What the platform declares is valid, and every program that is built runs for an image.
func TestDeclaration(t *testing.T) {
	p, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Programs(), programs.Names(); !slices.Equal(got, want) {
		t.Errorf("images run %v, local/programs builds %v", got, want)
	}
	if len(p.Ready()) == 0 {
		t.Error("no URL tells whether the system is up")
	}
	made := table(t, p)
	for _, i := range made.Images {
		if _, ok := i.Env["AWS_ACCESS_KEY_ID"]; ok {
			t.Errorf("%s gets credentials that do not come from Pod Identity", i.Repository)
		}
	}
	operator := lookup(t, made, "ghcr.io/controlplaneio-fluxcd/flux-operator:v0.58.1")
	if got := operator.Flags["--storage-path"]; got != "/mod/flux-operator/config/data" {
		t.Errorf("flux-operator reads %s", got)
	}
}

// The official image's entrypoint copies the bundled content and becomes Ghost, and so does the declared command.
func TestGhostStarts(t *testing.T) {
	p, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Images, func(i Image) bool { return i.NPM != nil })
	dir, content := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "content", "themes"), 0o700); err != nil {
		t.Fatal(err)
	}
	places := strings.NewReplacer("${PACKAGE}", dir, "${NODE}", "/bin/echo", "${mount:/var/lib/ghost/content}", content)
	var words []string
	for _, word := range p.Images[i].Command {
		words = append(words, places.Replace(word))
	}
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil || string(out) != "index.js\n" {
		t.Fatalf("%s, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(content, "themes")); err != nil {
		t.Error(err)
	}
}

// An application of another platform is a few lines of the declaration, whatever it is made of.
func TestEntriesAlone(t *testing.T) {
	p, err := parse([]byte(`
images:
  - repository: example.com/team/operator
    program: external-dns
    aws: true
    flags: {--config: "${MODULE}/config", --listen: "${IP}:80"}
  - repository: example.com/team/blog
    builds: blog
    npm: {package: "@team/blog", version: 1.2.3, integrity: sha512-x}
    command: ["${NODE}", server.js, --data, "${mount:/data}"]
    env: {ROOT: "${PACKAGE}/public"}
  - repository: example.com/team/quotes
    standIn: {port: 80, answers: {/: '{"quote": "…"}'}}
  - repository: example.com/team/tool
    command: [/usr/bin/tool]
    tags: [v1]
charts: [external-dns]
secrets:
  - {name: /local/blog/key, random: [key]}
  - {name: /local/git, git: read}
urls:
  - {name: Blog, host: blog.localhost, path: /, ready: true}
  - {name: Quotes, host: quotes.localhost, path: /all}
hints: ["${GITOPS} local status"]
`))
	if err != nil {
		t.Fatal(err)
	}
	made := table(t, p)
	tag, err := programs.Tag("external-dns")
	if err != nil {
		t.Fatal(err)
	}
	operator := lookup(t, made, "example.com/team/operator:"+tag)
	if !slices.Equal(operator.Command, []string{"/cache/external-dns"}) || operator.Flags["--config"] != "/mod/external-dns/config" ||
		operator.Flags["--listen"] != "${IP}:80" || operator.Env["AWS_ENDPOINT_URL"] != here.Endpoint || operator.Env["AWS_REGION"] != here.Region {
		t.Errorf("a program: %+v", operator)
	}
	blog := lookup(t, made, "example.com/team/blog:1.2.3")
	if !slices.Equal(blog.Command, []string{"/cache/node", "server.js", "--data", "${mount:/data}"}) || blog.Dir != "/cache/@team/blog" || blog.Env["ROOT"] != "/cache/@team/blog/public" {
		t.Errorf("an application from npm: %+v", blog)
	}
	for _, unknown := range []string{"example.com/team/blog:9", "example.com/team/operator:none", "example.com/team/tool:v2"} {
		if _, err := made.Lookup(unknown); err == nil {
			t.Errorf("%s is accepted", unknown)
		}
	}
	built := lookup(t, made, "registry.localhost/local/blog:pushed")
	if built.Registry != here.Endpoint || !slices.Equal(built.Command, blog.Command) || !maps.Equal(built.Env, blog.Env) {
		t.Errorf("its own builds: %+v", built)
	}
	quotes := lookup(t, made, "example.com/team/quotes:any")
	if !slices.Equal(quotes.Command, []string{here.Executable, "stand-in", "--host", "${IP}"}) || quotes.Args != "drop" ||
		!strings.Contains(quotes.Env[standin.Variable], `"port":80`) {
		t.Errorf("a stand-in: %+v", quotes)
	}
	if got := p.Programs(); !slices.Equal(got, []string{programs.ControlPlane, "external-dns"}) {
		t.Errorf("programs: %v", got)
	}
	if all := p.Applications(); len(all) != 1 || all[0].Package != "@team/blog" {
		t.Errorf("applications: %+v", all)
	}
	if ready := p.Ready(); len(ready) != 1 || ready[0].At(8443) != "https://blog.localhost:8443/" {
		t.Errorf("ready: %+v", ready)
	}
}

func TestMistakes(t *testing.T) {
	const program = "images: [{repository: example.com/a, program: external-dns"
	const blog = "images: [{repository: example.com/a, npm: {package: blog, version: 1.2.3, integrity: sha512-x}"
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":        {"image: []", `local/platform.yaml: unknown field "image"`},
		"an unknown key below":  {"images: [{repositry: a}]", `unknown field "repositry"`},
		"no YAML":               {"images: [", "local/platform.yaml: "},
		"nothing to run":        {"images: [{repository: example.com/a}]", "local/platform.yaml: images[0] (example.com/a): must have one of program, npm and standIn"},
		"two ways":              {program + ", standIn: {port: 80}}]", "got 2 of them"},
		"an unknown program":    {"images: [{repository: a, program: nginx}]", `program: no program "nginx": one of`},
		"no integrity":          {"images: [{repository: a, npm: {package: blog, version: 1.2.3}, command: [x]}]", "images[0] (a): npm: integrity: must be sha512-"},
		"no start command":      {blog + "}]", "command: is missing"},
		"a relative command":    {blog + ", command: [server.js]}]", `command: "server.js" is no absolute path`},
		"a foreign place":       {program + `, env: {A: "${PACKAGE}"}}]`, "${PACKAGE} is unknown"},
		"a flag without dashes": {program + `, flags: {listen: x}}]`, "write the flag with its dashes"},
		"no port":               {"images: [{repository: a, standIn: {answers: {/: x}}}]", "standIn: port: must be from 1"},
		"a mirror with scheme":  {"mirror: https://registry.example.com", "mirror: https://registry.example.com/docker.io/library/any is in no registry"},
		"an unknown chart":      {"charts: [nginx]", "charts[0]: must be one of aws-load-balancer-controller"},
		"a secret of nothing":   {"secrets: [{name: /a}]", "secrets[0] (/a): must have one of git and random"},
		"a secret of both":      {"secrets: [{name: /a, git: read, random: [b]}]", "must have one of git and random"},
		"another account":       {"secrets: [{name: /a, git: admin}]", "git: must be read or write"},
		"a relative secret":     {"secrets: [{name: a, random: [b]}]", "must begin with a slash"},
		"no label":              {"urls: [{host: a.localhost, path: /}]", "urls[0]: name: is missing"},
		"the internet":          {"urls: [{name: A, host: example.com, path: /}]", "urls[0] (A): host: must be a name below localhost"},
		"no path":               {"urls: [{name: A, host: a.localhost}]", "path: must begin with a slash"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	_, err := parse([]byte("charts: [nginx]\nsecrets: [{name: /a}]\n"))
	if err == nil || strings.Count(err.Error(), File) != 2 || bytes.Count([]byte(err.Error()), []byte("\n")) != 1 {
		t.Errorf("got %v, want a line for each mistake", err)
	}
	if _, err := Load(t.TempDir()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "platform.yaml") {
		t.Errorf("got %v, want the file", err)
	}
}
