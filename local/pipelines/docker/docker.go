// Package docker stands in for the docker command in the builds of pipelines:
// there is no container engine here. It builds nothing: `build` makes a
// manifest of the recipe, its context and its arguments, and `push` gives that
// to the local ECR, so that everything after the build - tags that never move,
// scans, indexes, roll-outs - is as on AWS.
//
// Other commands and unknown flags are refused by name.
package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
)

// Command is one call of docker.
type Command struct {
	// AWS reaches the local ECR, and Dir is where paths begin.
	AWS aws.Config
	Dir string
	// Config is the folder of the registries' logins, and of what was built but
	// not pushed: DOCKER_CONFIG.
	Config string
	In     io.Reader
	Out    io.Writer
}

const notice = "docker: no container engine here, so nothing is built; see local/README.md"

// Run runs the command line after `docker`.
func (c Command) Run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "buildx" {
		if args = args[1:]; len(args) == 0 || args[0] != "build" {
			return fmt.Errorf("docker buildx %s: only `docker buildx build` is known here", strings.Join(args, " "))
		}
	}
	if len(args) == 0 {
		return errors.New("docker: name a command: build, buildx build, login or push")
	}
	switch args[0] {
	case "login":
		return c.login(args[1:])
	case "build":
		return c.build(ctx, args[1:])
	case "push":
		return c.push(ctx, args[1:])
	}
	return fmt.Errorf("docker %s: not known here: only build, buildx build, login and push are", args[0])
}

// option is a flag; long flags take their value after = or as the next word.
type option struct {
	value bool
	each  []string
}

// parse splits flags from words.
func parse(command string, args []string, known map[string]*option) ([]string, error) {
	var words []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if !strings.HasPrefix(a, "-") || a == "-" {
			words = append(words, a)
			continue
		}
		name, value, given := strings.Cut(a, "=")
		o := known[name]
		switch {
		case o == nil:
			return nil, fmt.Errorf("docker %s: %s is not known here", command, name)
		case !o.value:
			o.each = append(o.each, cmp.Or(value, "true"))
		case given:
			o.each = append(o.each, value)
		case i+1 == len(args):
			return nil, fmt.Errorf("docker %s: %s needs a value", command, name)
		default:
			i++
			o.each = append(o.each, args[i])
		}
	}
	return words, nil
}

// login checks the password against nothing but its shape: what ECR gives out
// is base64 of a user and a token.
func (c Command) login(args []string) error {
	user, fromStdin := &option{value: true}, &option{}
	words, err := parse("login", args, map[string]*option{"--username": user, "-u": user, "--password-stdin": fromStdin})
	if err != nil {
		return err
	}
	if len(words) != 1 || len(user.each) != 1 || len(fromStdin.each) == 0 {
		return errors.New("docker login: want --username NAME --password-stdin REGISTRY")
	}
	password, err := io.ReadAll(c.In)
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(password)) == "" {
		return fmt.Errorf("docker login: no password for %s on the standard input: did `aws ecr get-login-password` fail?", words[0])
	}
	if err := os.MkdirAll(c.Config, 0o700); err != nil {
		return err
	}
	// Only that there was a login: the token is of no use to anybody.
	if err := os.WriteFile(filepath.Join(c.Config, "login-"+encode(words[0])), nil, 0o600); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "Login Succeeded")
	return nil
}

func encode(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

// build records an image per tag, and pushes it when asked to.
func (c Command) build(ctx context.Context, args []string) error {
	text := func() *option { return &option{value: true} }
	tags, file, platform, labels, push := text(), text(), text(), text(), &option{}
	flags := map[string]*option{
		"--tag": tags, "-t": tags, "--file": file, "-f": file, "--platform": platform, "--label": labels, "--build-arg": labels,
		"--push": push, "--pull": {}, "--load": {}, "--no-cache": {}, "--quiet": {}, "-q": {},
		"--provenance": text(), "--sbom": text(), "--progress": text(), "--target": text(),
	}
	words, err := parse("build", args, flags)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return fmt.Errorf("docker build: want one folder as the context, got %q", words)
	}
	if len(tags.each) == 0 {
		return errors.New("docker build: give the image a name with --tag")
	}
	fmt.Fprintln(c.Out, notice)
	manifest, err := c.manifest(words[0], file.each, platform.each, labels.each, args)
	if err != nil {
		return fmt.Errorf("docker build: %w", err)
	}
	if err := os.MkdirAll(c.Config, 0o700); err != nil {
		return err
	}
	for _, tag := range tags.each {
		if err := os.WriteFile(filepath.Join(c.Config, "image-"+encode(tag)), manifest, 0o600); err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "recorded %s\n", tag)
		if len(push.each) > 0 {
			if err := c.push(ctx, []string{tag}); err != nil {
				return err
			}
		}
	}
	return nil
}

// manifest stands for the image of a folder.
func (c Command) manifest(folder string, file, platforms, labels, args []string) ([]byte, error) {
	folder = c.path(folder)
	recipe := filepath.Join(folder, "Dockerfile")
	if len(file) > 0 {
		recipe = c.path(file[0])
	}
	if _, err := os.Stat(recipe); err != nil {
		return nil, fmt.Errorf("failed to read dockerfile: %w", err)
	}
	digest, err := hash(folder, recipe, args)
	if err != nil {
		return nil, err
	}
	return manifestOf(digest, platforms, labels)
}

func (c Command) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}

// hash identifies what an image would be made of.
func hash(folder, recipe string, args []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", args)
	add := func(name string) error {
		content, err := os.ReadFile(name)
		if err == nil {
			fmt.Fprintf(h, "%s %d\n%s", filepath.Base(name), len(content), content)
		}
		return err
	}
	if err := add(recipe); err != nil {
		return "", err
	}
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			err = add(name)
		}
		return err
	})
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// manifestOf is an image manifest whose parts were never made.
func manifestOf(digest string, platforms, labels []string) ([]byte, error) {
	annotations := map[string]string{"local.image": "recorded, not built"}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		annotations[key] = value
	}
	if len(platforms) > 0 {
		annotations["local.platform"] = strings.Join(platforms, ",")
	}
	part := func(kind string) map[string]any {
		return map[string]any{"mediaType": kind, "size": 2, "digest": digest}
	}
	return json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "annotations": annotations,
		"config": part("application/vnd.oci.image.config.v1+json"),
		"layers": []any{part("application/vnd.oci.image.layer.v1.tar+gzip")},
	})
}

// image is a name in ECR: <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>.
var image = regexp.MustCompile(`^(([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)/([a-z0-9._/-]+):([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$`)

// push gives a recorded image to ECR and starts its scan where the repository
// scans on push: the local ECR does not by itself.
func (c Command) push(ctx context.Context, args []string) error {
	words, err := parse("push", args, map[string]*option{"--quiet": {}, "-q": {}})
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return fmt.Errorf("docker push: want one image, got %q", words)
	}
	m := image.FindStringSubmatch(words[0])
	if m == nil {
		return fmt.Errorf("docker push: %s is in no registry of ECR, and no other is reached from here", words[0])
	}
	if _, err := os.Stat(filepath.Join(c.Config, "login-"+encode(m[1]))); err != nil {
		return fmt.Errorf("docker push: no basic auth credentials for %s: run docker login first", m[1])
	}
	manifest, err := os.ReadFile(filepath.Join(c.Config, "image-"+encode(words[0])))
	if err != nil {
		return fmt.Errorf("docker push: an image does not exist locally with the tag: %s", words[0])
	}
	client := ecr.NewFromConfig(c.AWS)
	out, err := client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: &m[4], ImageTag: &m[5], ImageManifest: aws.String(string(manifest)), ImageManifestMediaType: aws.String(manifestType),
	})
	if err != nil {
		return fmt.Errorf("docker push %s: %w", words[0], short(err))
	}
	fmt.Fprintf(c.Out, "%s: digest: %s size: %d\n", m[5], aws.ToString(out.Image.ImageId.ImageDigest), len(manifest))
	return c.scan(ctx, client, m[4], m[5])
}

func (c Command) scan(ctx context.Context, client *ecr.Client, repository, tag string) error {
	got, err := client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{repository}})
	if err != nil {
		return fmt.Errorf("docker push: %w", short(err))
	}
	if !slices.ContainsFunc(got.Repositories, func(r ecrtypes.Repository) bool {
		return r.ImageScanningConfiguration != nil && r.ImageScanningConfiguration.ScanOnPush
	}) {
		return nil
	}
	_, err = client.StartImageScan(ctx, &ecr.StartImageScanInput{RepositoryName: &repository, ImageId: &ecrtypes.ImageIdentifier{ImageTag: &tag}})
	var limit *ecrtypes.LimitExceededException
	if err != nil && !errors.As(err, &limit) { // the same image was scanned today
		return fmt.Errorf("docker push: scan of %s: %w", tag, short(err))
	}
	return nil
}

// short is what the service says, without the request around it.
func short(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return err
}
