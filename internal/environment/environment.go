package environment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// Options describe a new environment. What is empty comes from the environment that it is made from.
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
	path := filepath.Join(root, "cdk.json")
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, _, err := environments(content)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(m member) bool { return m.key == o.From })
	switch {
	case i < 0:
		return nil, fmt.Errorf("cdk.json: there is no environment %q to start from; %s", o.From, known(list))
	case slices.ContainsFunc(list, func(m member) bool { return m.key == o.Name }):
		return nil, fmt.Errorf("cdk.json: environment %q is there already; choose another name", o.Name)
	}
	var from map[string]any
	if err := json.Unmarshal(list[i].value, &from); err != nil {
		return nil, err
	}
	changed, err := insert(content, o.Name, fields(o, from, freeBlock(list)))
	if err != nil {
		return nil, err
	}
	e, err := load(changed, o.Name)
	if err != nil {
		return nil, err
	}
	files, err := clusterFiles(root, e)
	if err != nil {
		return nil, err
	}
	files["cdk.json"] = string(changed)
	return write(root, files)
}

// fields are the settings of the new environment.
func fields(o Options, from map[string]any, block string) []field {
	text := func(key string) string { s, _ := from[key].(string); return s }
	if o.Account == "" {
		o.Account = text("account")
	}
	if o.Domain == "" {
		o.Domain = o.Name + "." + text("domain")
	}
	if o.Branch == "" {
		o.Branch = o.Name
	}
	same := o.Account == text("account")
	list := []field{
		{"account", o.Account}, {"region", text("region")}, {"domain", o.Domain}, {"branch", o.Branch}, {"deletionProtection", false},
	}
	if zone, ok := from["hostedZone"].(map[string]any); ok && same {
		name, _ := zone["name"].(string)
		if name == "" {
			zone, name = map[string]any{"id": zone["id"], "name": text("domain")}, text("domain")
		}
		if o.Domain == name || strings.HasSuffix(o.Domain, "."+name) {
			list = append(list, field{"hostedZone", zone})
		}
	}
	list = append(list, field{"network", map[string]any{"cidr": block}})
	if cluster, ok := from["cluster"].(map[string]any); ok && same {
		list = append(list, field{"cluster", cluster})
	}
	nodes := map[string]any{}
	if given, ok := from["nodes"].(map[string]any); ok {
		nodes = maps.Clone(given)
	}
	nodes["min"], nodes["max"], nodes["spot"] = 1, 2, true
	list = append(list, field{"nodes", nodes}, field{"ghost", map[string]any{"database": map[string]any{"backupDays": 1}}})
	if o.Connection == "" && same {
		delivery, _ := from["delivery"].(map[string]any)
		o.Connection, _ = delivery["connectionArn"].(string)
	}
	if o.Connection != "" {
		list = append(list, field{"delivery", map[string]any{"connectionArn": o.Connection}})
	}
	return list
}

// freeBlock is the first 10.x.0.0/16, x in tens, that overlaps no environment's network.
func freeBlock(list []member) string {
	var used []netip.Prefix
	for _, m := range list {
		var e struct{ Network struct{ CIDR string } }
		if json.Unmarshal(m.value, &e) != nil || e.Network.CIDR == "" {
			e.Network.CIDR = "10.0.0.0/16" // the default
		}
		if block, err := netip.ParsePrefix(e.Network.CIDR); err == nil {
			used = append(used, block)
		}
	}
	for x := 1; x < 256; x++ {
		block := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(x * 10 % 256), 0, 0}), 16)
		if !slices.ContainsFunc(used, block.Overlaps) {
			return block.String()
		}
	}
	return "10.0.0.0/16" // the validation says what is wrong with it
}

// load validates a cdk.json and returns one of its environments.
func load(content []byte, name string) (config.Environment, error) {
	var file struct{ Context map[string]any }
	if err := json.Unmarshal(content, &file); err != nil {
		return config.Environment{}, err
	}
	c, err := config.Load(file.Context)
	return c.Environments[name], err
}

// initialImage is the default of Ghost's image in the manifests: what runs before the first build.
var initialImage = regexp.MustCompile(`\$\{GHOST_IMAGE:=([^}]+)\}`)

// clusterFiles are the files of an environment below k8s/clusters, by their path.
func clusterFiles(root string, e config.Environment) (map[string]string, error) {
	folder := "k8s/clusters/" + e.Name
	if _, err := os.Stat(filepath.Join(root, folder)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: is there already; remove it, or choose another name", folder)
	}
	if !e.UpdatesImages() {
		return map[string]string{folder + "/kustomization.yaml": fmt.Sprintf(plainEntry, e.Name)}, nil
	}
	manifest, err := os.ReadFile(filepath.Join(root, "k8s/apps/ghost/deployment.yaml"))
	if err != nil {
		return nil, err
	}
	image := initialImage.FindSubmatch(manifest)
	if image == nil {
		return nil, errors.New("k8s/apps/ghost/deployment.yaml: has no ${GHOST_IMAGE:=…}; give the image that runs before the first build")
	}
	return map[string]string{
		folder + "/kustomization.yaml": fmt.Sprintf(entry, e.Name),
		folder + "/images.yaml":        fmt.Sprintf(images, e.Name, image[1]),
	}, nil
}

// write writes files, cdk.json last: an environment without its folder would fail every check.
func write(root string, files map[string]string) ([]string, error) {
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

// Remove takes an environment out of cdk.json and removes its folder. One with deletion protection is refused.
func Remove(root, name string) error {
	path := filepath.Join(root, "cdk.json")
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := drop(content, name)
	if err != nil {
		return err
	}
	e, err := load(content, name)
	switch {
	case err != nil:
		return err
	case name == "local":
		return errors.New("cdk.json: environment \"local\" is the one of this machine; 'gitops local reset' removes its state")
	case e.DeletionProtection:
		return fmt.Errorf("cdk.json: environment %q is protected; set its deletionProtection to false, deploy that, and destroy its stacks first", name)
	}
	if _, err := load(changed, name); err != nil {
		return err
	}
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(root, "k8s/clusters", name))
}

// sortedKeys are the keys of an object in their order.
func sortedKeys(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }
