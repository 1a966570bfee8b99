package environment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services"
)

// Options configures Add. What is empty comes from the environment that the new one is made from.
type Options struct {
	Name       string
	From       string // the environment whose region, zone, cluster and connection it takes
	Account    string
	Domain     string // default: <name>.<domain of From>
	Branch     string // default: the name
	Connection string // ARN of a connection in the account
}

// Add writes a small, removable environment into cdk.json and makes its folder below k8s/clusters. It returns the files
// that it wrote. Nothing is written unless the whole configuration is valid afterwards.
func Add(root string, o Options) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err != nil {
		return nil, err
	}
	c, err := config.Parse(content)
	if err != nil {
		return nil, err
	}
	if _, taken := c.Environments[o.Name]; taken {
		return nil, fmt.Errorf("cdk.json: environment %q is there already; choose another name", o.Name)
	}
	list, _, err := environments(content)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(m member) bool { return m.key == o.From })
	if i < 0 {
		return nil, fmt.Errorf("cdk.json: there is no environment %q to start from; %s", o.From, config.Suggest(o.From, c.Names()))
	}
	var written map[string]any
	if err := json.Unmarshal(list[i].value, &written); err != nil {
		return nil, err
	}
	changed, err := insert(content, o.Name, fields(o, c.Environments[o.From], written, freeBlock(c)))
	if err != nil {
		return nil, err
	}
	if c, err = config.Parse(changed); err != nil {
		return nil, err
	}
	if folder := clusters + "/" + o.Name; exists(filepath.Join(root, folder)) {
		return nil, fmt.Errorf("%s: is there already; remove it, or choose another name", folder)
	}
	files, err := clusterFiles(root, c.Environments[o.Name])
	if err != nil {
		return nil, err
	}
	files["cdk.json"] = string(changed)
	return Write(root, files)
}

// fields are the settings of the new environment. What is taken over as a whole is as it was written: without defaults.
func fields(o Options, from config.Environment, written map[string]any, block string) []field {
	account, domain, branch := cmp.Or(o.Account, from.Account), cmp.Or(o.Domain, o.Name+"."+from.Domain), cmp.Or(o.Branch, o.Name)
	list := []field{
		{"account", account}, {"region", from.Region}, {"domain", domain}, {"branch", branch}, {"deletionProtection", false},
	}
	same := account == from.Account
	if zone := from.HostedZone; zone != nil && same && (domain == zone.Name || strings.HasSuffix(domain, "."+zone.Name)) {
		list = append(list, field{"hostedZone", map[string]any{"id": zone.ID, "name": zone.Name}})
	}
	list = append(list, field{"network", map[string]any{"cidr": block}})
	if cluster, ok := written["cluster"]; ok && same {
		list = append(list, field{"cluster", cluster})
	}
	nodes, _ := written["nodes"].(map[string]any)
	if nodes == nil {
		nodes = map[string]any{}
	}
	nodes["min"], nodes["max"], nodes["spot"] = 1, 2, true
	list = append(list, field{"nodes", nodes}, field{"ghost", map[string]any{"database": map[string]any{"backupDays": 1}}})
	connection := o.Connection
	if delivery := from.Delivery.ConnectionARN; same && delivery != from.Repository.ConnectionARN {
		connection = cmp.Or(connection, delivery)
	}
	if connection != "" {
		list = append(list, field{"delivery", map[string]any{"connectionArn": connection}})
	}
	return list
}

// freeBlock is the first 10.x.0.0/16, x in tens, that overlaps no environment's network.
func freeBlock(c config.Config) string {
	free := func(block netip.Prefix) bool {
		for _, e := range c.Environments {
			if used, err := netip.ParsePrefix(e.Network.CIDR); err == nil && used.Overlaps(block) {
				return false
			}
		}
		return true
	}
	for x := 1; x < 256; x++ {
		if block := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(x * 10 % 256), 0, 0}), 16); free(block) {
			return block.String()
		}
	}
	return "10.0.0.0/16" // the validation says what is wrong with it
}

// initialImage is the default of Ghost's image in the manifests: what runs before the first build.
var initialImage = regexp.MustCompile(`\$\{GHOST_IMAGE:=([^}]+)\}`)

// clusterFiles are the files of an environment below k8s/clusters, by their path.
func clusterFiles(root string, e config.Environment) (map[string]string, error) {
	folder := clusters + "/" + e.Name
	list, patch := entry, images
	switch {
	case e.CopiesImages():
		list, patch = copyingEntry, copiedImages
	case !e.UpdatesImages():
		return map[string]string{folder + "/kustomization.yaml": fmt.Sprintf(plainEntry, e.Name)}, nil
	}
	runs, err := currentImage(root, folder)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		folder + "/kustomization.yaml": fmt.Sprintf(list, e.Name),
		folder + "/" + imagesFile:      fmt.Sprintf(patch, e.Name, runs),
	}, nil
}

// currentImage is the image that an environment's folder names, or the one that runs before the first build.
func currentImage(root, folder string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, folder, imagesFile))
	if err == nil && image.Match(content) {
		return string(image.FindSubmatch(content)[1]), nil
	}
	manifest, err := os.ReadFile(filepath.Join(root, "k8s/apps/ghost/deployment.yaml"))
	if err != nil {
		return "", err
	}
	initial := initialImage.FindSubmatch(manifest)
	if initial == nil {
		return "", errors.New("k8s/apps/ghost/deployment.yaml: has no ${GHOST_IMAGE:=…}; give the image that runs before the first build")
	}
	return string(initial[1]), nil
}

// Write writes files, cdk.json last, and returns their names: an environment without its folder would fail every check.
func Write(root string, files map[string]string) ([]string, error) {
	names := slices.Sorted(maps.Keys(files))
	slices.SortStableFunc(names, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, name := range names {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// Remove takes an environment out of cdk.json and removes its folder. One with deletion protection is refused, and one that the
// fleet's files name; then nothing is written.
func Remove(root, name string) error {
	path := filepath.Join(root, "cdk.json")
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c, err := config.Parse(content)
	if err != nil {
		return err
	}
	e, known := c.Environments[name]
	switch {
	case !known:
		return fmt.Errorf("cdk.json: there is no environment %q; %s", name, config.Suggest(name, c.Names()))
	case name == config.LocalEnvironment:
		return errors.New("cdk.json: environment \"local\" is the one of this machine; 'gitops local reset' removes its state")
	case e.DeletionProtection:
		return fmt.Errorf("cdk.json: environment %q is protected; set its deletionProtection to false, deploy that, and remove its stacks first (gitops teardown)", name)
	}
	changed, err := drop(content, name)
	if err != nil {
		return err
	}
	left, err := config.Parse(changed)
	if err != nil {
		return err
	}
	if err := unnamed(root, name, left); err != nil {
		return err
	}
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(root, clusters, name))
}

// unnamed refuses to leave files of the fleet that name an environment which is no longer there.
func unnamed(root, name string, left config.Config) error {
	fleet, err := services.LoadFor(root, left)
	var files []string
	if _, named := fleet.Config.Environments[name]; named {
		files = append(files, services.ConfigFile)
	}
	for _, s := range fleet.Services {
		if _, named := s.Environments[name]; named {
			files = append(files, s.File)
		}
	}
	if len(files) > 0 {
		return fmt.Errorf("environment %q is named by %s; take environments.%s out of there first", name, strings.Join(files, ", "), name)
	}
	return err
}

// sortedKeys are the keys of an object in their order.
func sortedKeys(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }
