package projection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/fleet"
)

// serviceFiles gives each service the wanted environment's differences as those of local.
func (p *projection) serviceFiles() error {
	files, err := filepath.Glob(p.path(services.FilesDir + "/*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		name := path.Join(services.FilesDir, filepath.Base(file))
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		document, root, err := parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !p.rename(root) {
			continue
		}
		if err := p.write(name, document); err != nil {
			return err
		}
	}
	return nil
}

// fleetFile does the same with the settings of the fleet. Manifests go to the repository of local, at once.
func (p *projection) fleetFile() error {
	text, err := os.ReadFile(p.path(services.ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	document, root, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", services.ConfigFile, err)
	}
	c, problems := services.ParseConfig(text)
	if err := problems.Err(); err != nil {
		return oneLine(err)
	}
	p.rename(root)
	wanted, here := c.For(p.name), c.For(Here)
	difference := entry(entry(root, "environments"), Here)
	for _, s := range []struct{ key, from, to, why string }{
		{"url", wanted.URL, here.URL, "the manifests' repository is on this machine"},
		{"secretRef", wanted.SecretRef, here.SecretRef, "that repository asks for no login"},
		{"propose", fmt.Sprint(wanted.Propose), "false", "nobody merges proposals: the rehearsal publishes"},
		{"publish", string(wanted.Publish), string(services.PublishTag), "no token for the manifests is here: the rehearsal publishes after the merge"},
	} {
		p.row(services.ConfigFile+" "+s.key, shownText(s.from), shownText(s.to), s.why)
		if s.from != s.to || s.key == "url" {
			put(difference, s.key, s.to)
		}
	}
	return p.write(services.ConfigFile, document)
}

func shownText(text string) string {
	if text == "" {
		return none
	}
	return text
}

// rename makes the wanted environment's value of `environments` local's, and the only one. It reports whether the file says
// anything of environments.
func (p *projection) rename(root *yaml.Node) bool {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "environments" {
			continue
		}
		if found := value(root.Content[i+1], p.name); found != nil {
			root.Content[i+1] = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: Here}, found}}
		} else {
			root.Content = append(root.Content[:i], root.Content[i+2:]...)
		}
		return true
	}
	return false
}

// generatesAlike reports whether the fleet that is checked out is what this program makes of it. Another version's is made by itself.
func (p *projection) generatesAlike() (bool, error) {
	files, err := p.generated()
	if err != nil {
		return false, err
	}
	stale, err := fleet.Stale(p.dir, files)
	return len(stale) == 0, err
}

// generated is the fleet of what is checked out.
func (p *projection) generated() (map[string][]byte, error) {
	loaded, err := services.Load(p.dir)
	if err != nil {
		return nil, oneLine(err)
	}
	return fleet.Generate(loaded)
}

// generate makes the fleet of the one environment, by the generator of the commit.
func (p *projection) generate(ctx context.Context, own bool) error {
	if own {
		files, err := p.generated()
		if err == nil {
			_, err = fleet.Write(p.dir, files)
		}
		return err
	}
	for _, command := range [][]string{{"make", "--silent", "bin/gitops"}, {p.path("bin/gitops"), "generate"}} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		var said bytes.Buffer
		cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &said, &said
		cmd.Env = append(os.Environ(), "CI=true") // no line that moves
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s of the commit: %w: %s", strings.Join(command[1:], " "), err, strings.Join(strings.Fields(said.String()), " "))
		}
	}
	return nil
}
