package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/onboard"
)

// initFlags are those of init alone.
type initFlags struct {
	platform      string
	ci            string
	force, dryRun bool
	service       services.New
	// places that it is published to.
	places []onboard.Place
}

func newServiceInit() *cobra.Command {
	var i initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write what a service needs in a repository of its own.",
		Long: `Run it in the service's own repository, once the platform's repository has its
registration. It writes

  service.yaml                   what the service is; yours from then on
  .gitops/service.schema.json    by which editors check it
  .github/workflows/publish.yml  publishes it to every environment on a tag v1.2.3;
                                 for a repository on GitHub

With publisher: codebuild in the registration there is no workflow: a project of
the platform does it, by commands that this repository cannot change, and with a
token that it never sees.

The workflow builds the platform's tool at the commit that --platform names. Run it
again for a newer one: it renews what nobody has edited. A service.yaml that asks
for more than is registered is refused, and nothing is written then.`,
		Example: `  gitops service init --platform https://github.com/my-company/platform.git@v1.4.0 \
    --image ghcr.io/my-company/shop:1.0.0
  gitops service init --platform ../platform@main --ci codebuild --dry-run`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&i.service.Name, "name", "", "name that it is registered by (default: the repository's)")
	flags.StringVar(&i.platform, "platform", "", "the platform's repository and version, as URL@TAG (required)")
	flags.StringVar(&i.ci, "ci", "", "what a tag starts: github or codebuild; must be as registered (default: as registered)")
	flags.StringVar(&i.service.Image, "image", "", "image with a version; required where there is no service.yaml")
	flags.IntVar(&i.service.Port, "port", 8080, "port that the container listens on")
	flags.StringVar(&i.service.Health, "health", "", "path that answers when the service is well")
	flags.BoolVar(&i.force, "force", false, "replace a workflow that somebody has edited")
	flags.BoolVar(&i.dryRun, "dry-run", false, "write nothing; list what would be")
	return cmd
}

func (i *initFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	if i.platform == "" {
		return cli.UsageError{Err: errors.New("--platform: name the platform's repository and a tag, as https://github.com/my-company/platform.git@v1.2.3")}
	}
	top, err := git.Run(ctx, ".", nil, "rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("this must be a Git repository, the service's own: %w; change into it, or git init", err)
	}
	dir := strings.TrimSpace(top)
	if i.service.Name == "" {
		origin, _ := git.Run(ctx, dir, nil, "config", "--get", "remote.origin.url") // without one, the folder's name
		i.service.Name = strings.TrimSuffix(filepath.Base(cmp.Or(strings.TrimSpace(origin), dir)), ".git")
	}
	platform, err := onboard.Fetch(ctx, i.platform)
	if err != nil {
		return err
	}
	defer platform.Close()
	files, registered, err := i.files(dir, platform)
	if err != nil {
		return err
	}
	done, err := onboard.Write(dir, files, i.force, i.dryRun)
	for n, what := range done {
		fmt.Fprintf(cmd.OutOrStdout(), "%-30s %s\n", files[n].Name, what)
	}
	if err != nil || i.dryRun {
		return err
	}
	fmt.Fprint(cmd.ErrOrStderr(), i.next(dir, registered))
	return nil
}

// next is what follows the files, by what publishes the service.
func (i *initFlags) next(dir string, registered services.Service) string {
	if len(i.places) == 0 {
		return "Commit these files. There is no workflow: no environment has a role for this repository. docs/guides/own-repository.md of the platform has the commands for another CI.\n"
	}
	next := `Commit these files. Then:
  git tag v1.0.0 && git push origin v1.0.0   # publishes to every environment
Before the first tag, in each environment's account, by the platform's team:
`
	if registered.PublishedBy() == services.PublisherGitHub {
		next += "  its token: aws secretsmanager create-secret --name " + config.Environment{Name: "ENVIRONMENT"}.PublisherSecret(registered.Name) + " --secret-string file:///dev/stdin\n"
	} else {
		next += "  the App of its connection is installed in this repository, and then\n  the registration is deployed: project ENVIRONMENT-publish-" + registered.Name + "\n"
		if _, err := os.Stat(filepath.Join(dir, onboard.WorkflowFile)); err == nil {
			next += "Remove " + onboard.WorkflowFile + ": its role is gone with the registration.\n"
		}
	}
	return next + "docs/guides/own-repository.md of the platform has the rest.\n"
}

// files are those that the repository is to have. An existing file of the service is checked first.
func (i *initFlags) files(dir string, platform *onboard.Platform) ([]onboard.File, services.Service, error) {
	loaded, err := services.Load(platform.Dir)
	if err != nil {
		return nil, services.Service{}, fmt.Errorf("platform %s at %s: %w", platform.URL, platform.Ref, err)
	}
	registered, known := loaded.Service(i.service.Name)
	if !known || !registered.Registered() {
		return nil, registered, fmt.Errorf("%s at %s has no registration of %q: run `gitops service add %s --repository … --owner …` there, merge it, and name a version that has it",
			platform.URL, platform.Ref, i.service.Name, i.service.Name)
	}
	if by := registered.PublishedBy(); i.ci != "" && i.ci != by {
		return nil, registered, fmt.Errorf("--ci: must be as registered, %q, got %q; write publisher: %s in %s of the platform's repository, merge it, and name a version that has it", by, i.ci, i.ci, registered.File)
	}
	content, err := os.ReadFile(filepath.Join(dir, services.OwnFile))
	if errors.Is(err, fs.ErrNotExist) {
		if i.service.Image == "" {
			return nil, registered, cli.UsageError{Err: fmt.Errorf("--image: name the service's image, with a version: there is no %s yet", services.OwnFile)}
		}
		i.service.Schema, i.service.Host, i.service.Uses = onboard.SchemaFile, registered.Settings.Host, registered.Settings.AWS.Keys()
		content, err = i.service.File(), nil
	}
	if err != nil {
		return nil, registered, err
	}
	for _, c := range loaded.Clusters {
		if registered.Enabled(c.Environment) {
			if _, err := loaded.Own(registered.Name, content, c.Environment); err != nil {
				return nil, registered, err
			}
			break // it checks the file for all environments
		}
	}
	all, err := config.LoadDir(platform.Dir)
	if err != nil {
		return nil, registered, err
	}
	schema, err := os.ReadFile(filepath.Join(platform.Dir, services.AppDir, "service.schema.json"))
	if err != nil {
		return nil, registered, err
	}
	files := []onboard.File{{Name: services.OwnFile, Content: content, Once: true}, {Name: onboard.SchemaFile, Content: schema, Copied: true}}
	i.places = onboard.Places(all, registered)
	if len(i.places) == 0 || registered.PublishedBy() != services.PublisherGitHub {
		return files, registered, nil
	}
	workflow, err := onboard.Workflow(registered.Name, *platform, i.places)
	return append(files, onboard.File{Name: onboard.WorkflowFile, Content: workflow}), registered, err
}
