package services

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services/assets"
)

// RenderRequest is what the cdk8s app reads on stdin.
type RenderRequest struct {
	Cluster  Cluster `json:"cluster"`
	Services []Spec  `json:"services"`
}

// RenderResult is a line of the cdk8s app's answer: a manifest, or why there is none.
type RenderResult struct {
	Name     string `json:"name"`
	Manifest string `json:"manifest,omitempty"`
	Error    string `json:"error,omitempty"`
}

// Renderer turns services into manifests.
type Renderer interface {
	// Render returns one manifest for each service, by name.
	Render(ctx context.Context, c Cluster, all []Service) (map[string][]byte, error)
}

// App is the cdk8s app as a process. All services of an environment go through one process: Node.js, if a hatch needs it,
// starts once.
type App struct {
	// Program is the path of bin/services.
	Program string
	// Dir is the repository, from which the program is run.
	Dir string
	// Env is the program's environment; default: this process's.
	Env []string
}

// Render implements Renderer.
func (a App) Render(ctx context.Context, c Cluster, all []Service) (map[string][]byte, error) {
	request := RenderRequest{Cluster: c, Services: make([]Spec, len(all))}
	for i, s := range all {
		release, err := s.Assets(ctx, a.Dir)
		if err != nil {
			return nil, err
		}
		request.Services[i] = s.Resolve(c)
		if err := request.Services[i].with(release, c); err != nil {
			return nil, fmt.Errorf("%s: %w", s.File, err)
		}
	}
	input, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, a.Program)
	cmd.Dir = a.Dir
	// Node.js of package.json, as for the CDK app: jsii takes the first of the PATH.
	env := a.Env
	if env == nil {
		env = os.Environ()
	}
	cmd.Env = append(slices.Clone(env), "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=true",
		"PATH="+filepath.Join(a.Dir, "node_modules", ".bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("rendering: %w: %s; build it with make bin/services", err, lastLine(stderr.String()))
	}
	return results(&stdout, len(all))
}

// Assets reads the service's static files in the checkout dir.
func (s Service) Assets(ctx context.Context, dir string) (assets.Release, error) {
	return assets.Read(ctx, s.Name, filepath.Join(dir, FilesDir, s.Name, assets.Folder))
}

// with tells the service where its static files are, by variables that its file cannot have. It fails for a service that
// reads its files and has none.
func (s Spec) with(release assets.Release, c Cluster) error {
	if release.Digest != "" {
		s.Environment[assets.BucketVariable], s.Environment[assets.PrefixVariable] = c.AssetsBucket, release.Prefix(config.AssetsPrefix)
		return nil
	}
	if s.AWS != nil && s.AWS.Assets != nil {
		return fmt.Errorf("aws.assets: must have files in %s/%s/%s; put some there, or remove the key", FilesDir, s.Name, assets.Folder)
	}
	return nil
}

// results reads the answer. Every failure is reported, not only the first.
func results(answer *bytes.Buffer, want int) (map[string][]byte, error) {
	manifests := make(map[string][]byte, want)
	var problems []error
	stream := json.NewDecoder(bufio.NewReader(answer))
	for stream.More() {
		var result RenderResult
		if err := stream.Decode(&result); err != nil {
			return nil, fmt.Errorf("rendering: the answer of bin/services must be JSON: %w; build it with make bin/services", err)
		}
		if result.Error != "" {
			problems = append(problems, errors.New(result.Error))
			continue
		}
		manifests[result.Name] = []byte(result.Manifest)
	}
	if len(problems) == 0 && len(manifests) != want {
		return nil, fmt.Errorf("rendering: bin/services answered %d of %d services; build it with make bin/services", len(manifests), want)
	}
	return manifests, errors.Join(problems...)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
