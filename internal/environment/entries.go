package environment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// clusters is the folder of the entry points for Flux, one folder for each environment beside the base.
const clusters = "k8s/clusters"

// automation is what an entry point lists when Flux writes image tags there.
const automation = "../base/image-automation"

// imagesFile is the patch with the images of an environment, in its folder.
const imagesFile = "images.yaml"

// Entries compares k8s/clusters with cdk.json. It returns the files to write and the paths to remove, both relative to the
// repository: an environment without a folder gets one, a folder without an environment goes. Only what this package
// generates is touched; of the rest the error tells what to change by hand.
func Entries(root string) (files map[string]string, gone []string, err error) {
	c, err := config.LoadDir(root)
	if err != nil {
		return nil, nil, err
	}
	files = map[string]string{}
	var problems []error
	for _, name := range c.Names() {
		write, remove, err := entryOf(root, c.Environments[name])
		if err != nil {
			problems = append(problems, err)
		}
		for path, text := range write {
			files[path] = text
		}
		gone = append(gone, remove...)
	}
	folders, err := os.ReadDir(filepath.Join(root, clusters))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, folder := range folders {
		name := folder.Name()
		if _, known := c.Environments[name]; known || !folder.IsDir() || name == "base" {
			continue
		}
		if !generated(filepath.Join(root, clusters, name), name) {
			problems = append(problems, fmt.Errorf("%s/%s: cdk.json has no environment %q, and the folder holds more than what is generated; give it the environment's new name (git mv), remove it (git rm -r %[1]s/%[2]s), or add the environment", clusters, name, name))
			continue
		}
		gone = append(gone, clusters+"/"+name)
	}
	return files, gone, errors.Join(problems...)
}

// entryOf is what to change in the folder of an environment.
func entryOf(root string, e config.Environment) (write map[string]string, remove []string, err error) {
	folder := clusters + "/" + e.Name
	file := folder + "/kustomization.yaml"
	content, err := os.ReadFile(filepath.Join(root, file))
	if errors.Is(err, fs.ErrNotExist) {
		write, err = clusterFiles(root, e)
		return write, nil, err
	}
	lists := func(part string) bool { return strings.Contains(string(content), part) }
	if err != nil || lists(automation) == e.UpdatesImages() && (lists(imagesFile) || !e.CopiesImages()) {
		return nil, nil, err
	}
	if !generated(filepath.Join(root, folder), e.Name) {
		switch {
		case e.UpdatesImages():
			return nil, nil, fmt.Errorf("%s: must list %s, because Flux writes the image tags of %s (its delivery in cdk.json says so); "+
				"add that line, and images.yaml as in an environment that \"gitops environment add\" makes", file, automation, e.Name)
		case !lists(automation):
			return nil, nil, fmt.Errorf("%s: must patch with %s, in which a promotion names the images of %s (its delivery.imagesFrom in cdk.json says so); "+
				"make both as in an environment that \"gitops environment add\" makes", file, imagesFile, e.Name)
		}
		return nil, nil, fmt.Errorf("%s: must not list %s, because Flux does not write the image tags of %s (its delivery in cdk.json says so); "+
			"remove that line, and without delivery.imagesFrom the patch with "+imagesFile, file, automation, e.Name)
	}
	if !e.UpdatesImages() && !e.CopiesImages() {
		remove = []string{folder + "/" + imagesFile}
	}
	write, err = clusterFiles(root, e)
	return write, remove, err
}

// image is the one value in images.yaml that changes: Flux or a promotion writes it.
var image = regexp.MustCompile(`GHOST_IMAGE: (\S+)`)

// generated reports whether a folder holds nothing but what this package wrote there for an environment of that name.
func generated(dir, name string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, file := range entries {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return false
		}
		text := string(content)
		switch file.Name() {
		case "kustomization.yaml":
			if text != fmt.Sprintf(entry, name) && text != fmt.Sprintf(copyingEntry, name) && text != fmt.Sprintf(plainEntry, name) {
				return false
			}
		case imagesFile:
			rest := image.ReplaceAllString(text, "")
			if rest != image.ReplaceAllString(fmt.Sprintf(images, name, "none"), "") && rest != image.ReplaceAllString(fmt.Sprintf(copiedImages, name, "none"), "") {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
