package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/source"
)

// publishServices fills the manifests repository as seed fills the platform's: a service of the platform repository gets
// its branch, and a branch that is there is left as it is. From then on `gitops service publish` decides.
func (u *up) publishServices(ctx context.Context, out *progress.Output) error {
	loaded, err := u.fleet(ctx)
	var mistakes config.Problems
	switch {
	case errors.As(err, &mistakes):
		// The platform does not wait for services, and their files are mended by a push to a system that is up.
		out.Result("none: %d mistakes, the first: %s", len(mistakes), mistakes[0])
		return nil
	case err != nil:
		return err
	}
	all := loaded.Here(deploy.Environment)
	to := loaded.Config.For(deploy.Environment)
	path, here := strings.CutPrefix(to.URL, "http://"+gitHost+"/")
	if len(all) == 0 || !here {
		out.Result("none")
		return nil
	}
	url := u.ports.URL(layout.Git) + "/" + path
	missing, err := unpublished(ctx, url, to, all)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		out.Result("%d of %d are published", len(all), len(all))
		return nil
	}
	cluster, _ := loaded.Cluster(deploy.Environment) // it has services
	if err := u.serviceSecrets(ctx, cluster, missing, out); err != nil {
		return err
	}
	results, err := u.publish(ctx, url, to, cluster, missing)
	if err != nil {
		return err
	}
	for _, r := range results {
		fmt.Fprintf(out, "%s %s@%s\n", r.Service, r.Branch, r.Commit)
	}
	out.Result("%d of %d are new", len(results), len(all))
	return nil
}

// fleet reads the services of the platform repository's commit, not of the working tree: that is what Flux follows.
func (u *up) fleet(ctx context.Context) (services.Fleet, error) {
	dir, err := os.MkdirTemp(u.Dir.Path("run"), "services-")
	if err != nil {
		return services.Fleet{}, err
	}
	defer os.RemoveAll(dir)
	some, err := source.Extract(ctx, u.Dir.Repository(), u.commit, dir, services.ConfigFile, services.FilesDir)
	if err != nil || !some {
		return services.Fleet{}, err
	}
	if _, err := source.Extract(ctx, u.Dir.Repository(), u.commit, dir, "cdk.json"); err != nil {
		return services.Fleet{}, err
	}
	return services.Load(dir)
}

// unpublished are the services that have no branch.
func unpublished(ctx context.Context, url string, to services.Source, all []services.Service) ([]services.Service, error) {
	branches := make([]string, len(all))
	for i, s := range all {
		branches[i] = to.Ref(deploy.Environment, s.Name)
	}
	tips, err := publish.Tips(ctx, url, branches)
	if err != nil {
		return nil, err
	}
	var missing []services.Service
	for i, s := range all {
		if tips[branches[i]].Commit == "" {
			missing = append(missing, s)
		}
	}
	return missing, nil
}

// servicesApp is the program that renders the services.
func (u *up) servicesApp() string { return filepath.Join(u.Dir.Repo, "bin", "services") }

// checkServices finds a missing program before the minutes that come first.
func (u *up) checkServices() error {
	files, err := filepath.Glob(filepath.Join(u.Dir.Repo, services.FilesDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return err
	}
	if _, err := os.Stat(u.servicesApp()); errors.Is(err, fs.ErrNotExist) {
		return errors.New("bin/services, which renders the services, is not built: run `make bin/services`")
	}
	return nil
}

// publish renders services by the cdk8s app and makes their branches.
func (u *up) publish(ctx context.Context, url string, to services.Source, cluster services.Cluster, missing []services.Service) ([]publish.Result, error) {
	rendered, err := services.App{Program: u.servicesApp(), Dir: u.Dir.Repo}.Render(ctx, cluster, missing)
	if err != nil {
		return nil, err
	}
	from := publish.Source{Repository: "http://" + gitHost + "/" + platformRepository + ".git", Commit: u.commit}
	who, err := source.Author(ctx, u.Dir.Repository(), u.commit)
	if err != nil {
		return nil, err
	}
	from.Author = who.Name + " <" + who.Email + ">"
	if when, err := time.Parse(time.RFC3339, who.Date); err == nil {
		from.Time = fmt.Sprintf("%d %s", when.Unix(), when.Format("-0700"))
	}
	all := make([]publish.Manifest, len(missing))
	for i, s := range missing {
		all[i] = publish.Manifest{Service: s.Name, Branch: to.Ref(deploy.Environment, s.Name), Content: rendered[s.Name]}
	}
	return publish.Publish(ctx, all, publish.Options{URL: url, Environment: deploy.Environment, Source: from})
}

// PublishServices publishes the services of a commit of the platform's repository as their tags would, by the program bin/services of
// the checkout, and returns what changed. Secrets that nobody has made get random values; told are their names. Services that the
// pipeline publishes are left to it.
func (s *System) PublishServices(ctx context.Context, commit string) (changed []publish.Result, told []string, err error) {
	ports, err := s.running()
	if err != nil {
		return nil, nil, err
	}
	u := &up{System: s, ports: ports, commit: commit}
	loaded, err := u.fleet(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, to := loaded.Here(deploy.Environment), loaded.Config.For(deploy.Environment)
	path, here := strings.CutPrefix(to.URL, "http://"+gitHost+"/")
	if len(all) == 0 || !here || to.ByMerge() {
		return nil, nil, nil
	}
	cluster, _ := loaded.Cluster(deploy.Environment) // it has services
	var made bytes.Buffer
	if err := u.serviceSecrets(ctx, cluster, all, &made); err != nil {
		return nil, nil, err
	}
	results, err := u.publish(ctx, ports.URL(layout.Git)+"/"+path, to, cluster, all)
	changed = slices.DeleteFunc(results, func(r publish.Result) bool { return !r.Changed })
	return changed, slices.Collect(strings.Lines(made.String())), err
}

// serviceSecrets makes the secrets that services read and nobody has made. On AWS people put them there; here nothing
// checks the values, so they are random.
func (u *up) serviceSecrets(ctx context.Context, cluster services.Cluster, all []services.Service, out io.Writer) error {
	client := secretsmanager.NewFromConfig(deploy.Config(u.ports.URL(layout.AWS)))
	for _, s := range all {
		keys := map[string][]string{}
		for _, secret := range s.Resolve(cluster).Secrets {
			keys[secret.Path] = append(keys[secret.Path], secret.Key)
		}
		for path, names := range keys {
			made, err := createSecret(ctx, client, path, randomSecret(names), "Random, made by gitops local up for the service "+s.Name)
			if err != nil {
				return err
			}
			if made {
				fmt.Fprintf(out, "secret %s has random values\n", path)
			}
		}
	}
	return nil
}
