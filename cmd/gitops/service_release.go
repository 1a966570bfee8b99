package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// release publishes what the tags of the checkout's commit release. Each service is a publication of its own, because
// each has its own tag.
func (f *serviceFlags) release(cmd *cobra.Command, p publishFlags) error {
	run, err := f.open(cmd, p)
	if err != nil {
		return err
	}
	if run.loaded.Config.For(f.environment).ByMerge() {
		// A tag may be of a commit that nobody has merged or approved.
		fmt.Fprintf(cmd.ErrOrStderr(), "%s publishes what is merged (publish in %s): a tag releases nothing there.\n", f.environment, services.ConfigFile)
		return nil
	}
	tags, problems, err := publish.Tags(cmd.Context(), run.root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		s, known := run.loaded.Service(name)
		switch {
		case !known:
			problems = append(problems, fmt.Errorf("tag %s: there is no service %q at this commit; tag one that has %s/%s.yaml", tags[name].Name, name, services.FilesDir, name))
			continue
		case !s.Enabled(f.environment):
			// A tag is for all environments; that one of them does without the service is its file's decision.
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is not in %s, as its file says.\n", tags[name].Name, f.environment)
			continue
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Releasing %s to %s\n", tags[name].Name, f.environment)
		_, err := f.push(cmd, run, []services.Service{s}, p)
		var older *publish.OlderError
		if errors.As(err, &older) && len(tags) > 1 {
			// The tags do not tell which of them is new. A service that was released from a later commit since is not.
			fmt.Fprintf(cmd.ErrOrStderr(), "Left as it is: %v\n", older)
			continue
		}
		problems = append(problems, err)
	}
	if len(tags)+len(problems) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "The commit has no tag <service>/v1.2.3: nothing to release.")
	}
	return errors.Join(problems...)
}

// secretToken reads a token for git from Secrets Manager in a region. Without a name, or without a secret of
// that name, git's own credentials have to do.
func secretToken(cmd *cobra.Command, region, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	c, err := awsOf(cmd.Context(), region)
	if err != nil {
		return "", err
	}
	token, err := forge.FromSecret(cmd.Context(), secretsmanager.NewFromConfig(c), name)
	if err == nil && token == "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "There is no secret %s: git signs in by itself.\n", name)
	}
	return string(token), err
}
