package services

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// Where things are, relative to the repository.
const (
	// FilesDir holds the service files and, in a folder of its name, each service's static files.
	FilesDir = "k8s/services"
	// AppsDir holds the applications that are no services, in a folder of its name each.
	AppsDir = "k8s/apps"
	// FleetDir holds what is generated for each environment, in a folder of its name.
	FleetDir = "k8s/fleet"
	// ConfigFile holds the settings of the fleet.
	ConfigFile = FleetDir + "/fleet.yaml"
	// AppDir is the cdk8s app, and the schemas by which editors check the files.
	AppDir = "services"
)

// Load reads all of it below root: cdk.json, fleet.yaml and every service file. The error is config.Problems when the files are
// wrong, and the fleet is then not to be used.
func Load(root string) (Fleet, error) {
	environments, err := config.LoadDir(root)
	if err != nil {
		return Fleet{}, err
	}
	return LoadFor(root, environments)
}

// LoadFor is Load for environments that cdk.json need not have. With config.Problems it returns what it read all the same.
func LoadFor(root string, environments config.Config) (Fleet, error) {
	var clusters []Cluster
	for _, name := range environments.Names() {
		clusters = append(clusters, ClusterOf(environments.Environments[name]))
	}
	content, err := os.ReadFile(filepath.Join(root, ConfigFile))
	if err != nil {
		return Fleet{}, fmt.Errorf("%s: %w; it names the manifests repository", ConfigFile, plain(err))
	}
	fleet := Fleet{Clusters: clusters}
	var problems config.Problems
	fleet.Config, problems = ParseConfig(content)
	problems = append(problems, fleet.shared()...)
	files, err := read(filepath.Join(root, FilesDir))
	if err != nil {
		return Fleet{}, err
	}
	services, more := ParseAll(files, clusters)
	fleet.Services = services
	problems = slices.Concat(problems, more, applications(root, services, clusters))
	for name := range fleet.Config.Environments {
		if _, ok := fleet.Cluster(name); !ok {
			problems = append(problems, config.Problem{File: ConfigFile, Line: 1, Path: "environments." + name, What: "must be an environment of cdk.json", Remedy: config.Suggest(name, fleet.Names())})
		}
	}
	return fleet, problems.Err()
}

// LoadConfig reads the settings of the fleet below root alone. Without the file they are those of a repository without
// services. The error is config.Problems when they are wrong.
func LoadConfig(root string) (Config, error) {
	content, err := os.ReadFile(filepath.Join(root, ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, err
	}
	c, problems := ParseConfig(content)
	return c, problems.Err()
}

// sampleURL is the manifests repository of fleet.yaml as it is before anyone forks it, and sampleOwner that of cdk.json.
const (
	sampleOwner = "my-company"
	sampleURL   = "https://github.com/" + sampleOwner + "/manifests.git"
)

// Borrowed refuses services that an environment would follow in the sample's manifests repository, which is somebody else's,
// once cdk.json names another owner.
func (f Fleet) Borrowed(owner string) error {
	follows := func(name string) bool { return f.Config.For(name).URL == sampleURL && len(f.In(name)) > 0 }
	if strings.EqualFold(owner, sampleOwner) || !slices.ContainsFunc(f.Names(), follows) {
		return nil
	}
	return config.Problems{{
		File: ConfigFile, Path: "url", What: "must be a repository of yours, got the sample's, and Flux would apply what is in it: " + sampleURL,
		Remedy: "name your own empty manifests repository, or remove the example services (gitops service remove info, then github and npm)",
	}}
}

// shared finds environments that follow the same branches, of which one publishes by merge: a merge for the one would change
// the pods of the other.
func (f Fleet) shared() config.Problems {
	var problems config.Problems
	for i, a := range f.Names() {
		for _, b := range f.Names()[:i] {
			x, y := f.Config.For(a), f.Config.For(b)
			if (x.ByMerge() || y.ByMerge()) && x.URL == y.URL && x.Ref(a, "npm") == y.Ref(b, "npm") {
				problems = append(problems, config.Problem{File: ConfigFile, Line: 1, Path: "branch", What: fmt.Sprintf("must not be one for %s and %s, which publish by merge into the same repository, got %q", b, a, x.Branch), Remedy: "use " + defaultBranch + ", or give each a url of its own"})
			}
		}
	}
	return problems
}

// LoadFiles reads the service files below root alone, and checks them against environments. The error is config.Problems when they are wrong.
func LoadFiles(root string, environments []config.Environment) ([]Service, error) {
	clusters := make([]Cluster, len(environments))
	for i, e := range environments {
		clusters[i] = ClusterOf(e)
	}
	files, err := read(filepath.Join(root, FilesDir))
	if err != nil {
		return nil, err
	}
	all, problems := ParseAll(files, clusters)
	return all, append(problems, applications(root, all, clusters)...).Err()
}

// read returns the service files by path relative to the repository.
func read(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		// Folders hold assets; editors leave files with a leading dot.
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files[path.Join(FilesDir, entry.Name())] = content
	}
	return files, nil
}

// ParseAll parses service files, by path, and checks them against the environments and against each other.
func ParseAll(files map[string][]byte, clusters []Cluster) ([]Service, config.Problems) {
	var all []Service
	var problems config.Problems
	for file, content := range files {
		if path.Ext(file) != ".yaml" {
			problems = append(problems, config.Problem{File: file, What: "must be named <service>.yaml", Remedy: "rename it, or move it away"})
			continue
		}
		s, found := Parse(file, content)
		all = append(all, s)
		problems = append(problems, found...)
	}
	slices.SortFunc(all, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	broken := map[string]bool{}
	for _, p := range problems {
		broken[p.File] = true
	}
	return all, append(problems, together(all, broken, clusters)...).Sorted()
}

// together checks what depends on more than one file; of broken files only the names count.
func together(all []Service, broken map[string]bool, clusters []Cluster) config.Problems {
	var problems config.Problems
	names, has := make([]string, len(clusters)), make([]owners, len(clusters))
	for i, c := range clusters {
		names[i], has[i] = c.Environment, ownersOf(c, all)
	}
	known := map[string]Service{}
	for _, s := range all {
		known[s.Name] = s
	}
	hosts, asking := map[string]string{}, map[string]int{}
	for _, s := range all {
		if broken[s.File] {
			continue
		}
		r := &rules{service: s}
		for name := range s.Environments {
			if !slices.Contains(names, name) {
				r.add("environments."+name, config.Suggest(name, names), "must be an environment of cdk.json, got %q", name)
			}
		}
		for i, c := range clusters {
			if s.Enabled(c.Environment) {
				r.merged(c)
				r.neighbours(c, known, hosts)
				spec := s.Resolve(c)
				r.aws(c, spec, known, has[i])
				if spec.AWS != nil {
					asking[c.Environment] += spec.AWS.places()
					r.room(c, asking[c.Environment])
				}
			}
		}
		problems = append(problems, r.problems...)
	}
	return problems
}

// applications refuses what an application of k8s/apps has: its folder is its namespace and its host.
func applications(root string, all []Service, clusters []Cluster) config.Problems {
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(root, AppsDir, name))
		return name != "" && err == nil && info.IsDir() && !slices.Contains(Reserved, name)
	}
	var problems config.Problems
	for _, s := range all {
		r := &rules{service: s}
		if has(s.Name) {
			r.add("", "rename the file", "must not have the name of an application in %s, got %q", AppsDir, s.Name)
		}
		for _, c := range clusters {
			if host := s.Resolve(c).Host; has(host) {
				r.once(r.own(c, "host"), "choose another", "must not be the host of an application in %s, got %q", AppsDir, host)
			}
		}
		problems = append(problems, r.problems...)
	}
	return problems
}

// neighbours checks a service against the others of an environment. hosts remembers who has a host.
func (r *rules) neighbours(c Cluster, known map[string]Service, hosts map[string]string) {
	spec := r.service.Resolve(c)
	for i, name := range spec.Calls {
		if _, there := known[name]; !there {
			r.add(fmt.Sprintf("%s[%d]", r.own(c, "calls"), i), "add it with gitops service add "+name+", or correct the name", "must be the name of a service, got %q", name)
		}
	}
	if spec.Host == "" {
		return
	}
	full := spec.Host + "." + c.Domain
	if other, taken := hosts[full]; taken {
		r.once(r.own(c, "host"), "choose another", "must not be the host of another service, got %s, that of %s in environment %s", full, other, c.Environment)
		return
	}
	hosts[full] = r.service.Name
}

// plain drops the machine's path from a file error.
func plain(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
