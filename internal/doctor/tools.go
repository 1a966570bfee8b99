package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// Execute runs a program in a folder and returns what it prints.
func Execute(ctx context.Context, dir, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	out, err := command.Output()
	return strings.TrimSpace(string(out)), err
}

// number is a version within what a program prints.
var number = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// tools are what the commands of this repository run, and of which version it pins them.
func (d *Doctor) tools() []check {
	return []check{
		{name: "git", look: d.present("git", "install git (Debian: apt-get install git)", "--version")},
		{name: "go", look: d.goTool},
		{name: "npm", look: d.present("npm", "install Node.js, https://nodejs.org", "--version")},
		{name: "node", look: d.pinned("node", "node")},
		{name: "CDK CLI", look: d.pinned("aws-cdk", "cdk")},
		{name: "AWS CLI", inAWS: true, look: d.awsTool},
	}
}

// present looks for a program of which any version does.
func (d *Doctor) present(name, fix string, args ...string) func(context.Context) Line {
	return func(ctx context.Context) Line {
		said, err := d.Run(ctx, d.Root, name, args...)
		if err != nil {
			return unstarted(name, fix, err)
		}
		return ok("%s", number.FindString(said))
	}
}

// unstarted tells a program that is not there from one that failed.
func unstarted(name, fix string, err error) Line {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return missing(fix, "%s is not there", name)
	}
	return unknown("%s: %s", name, line(err.Error()))
}

// awsTool looks for the AWS CLI, which the bootstrap runs.
func (d *Doctor) awsTool(ctx context.Context) Line {
	const fix = "install the AWS CLI, version 2, https://aws.amazon.com/cli"
	said, err := d.Run(ctx, d.Root, "aws", "--version")
	if err != nil {
		return unstarted("aws", fix, err)
	}
	version := number.FindString(said)
	if semver.Compare("v"+version, "v2") < 0 {
		return missing(fix, "%s, make bootstrap needs version 2", version)
	}
	return ok("%s", version)
}

// goTool compares Go with go.mod. In the folder of the module the go command answers with the toolchain that it takes there.
func (d *Doctor) goTool(ctx context.Context) Line {
	content, err := os.ReadFile(filepath.Join(d.Root, "go.mod"))
	if err != nil {
		return unread(err)
	}
	module, err := modfile.ParseLax("go.mod", content, nil)
	if err != nil || module.Go == nil {
		return unknown("go.mod names no version of Go")
	}
	fix := "install Go " + module.Go.Version + " or later, https://go.dev/dl"
	said, err := d.Run(ctx, d.Root, "go", "env", "GOVERSION")
	if err != nil {
		return unstarted("go", fix, err)
	}
	if have := number.FindString(said); semver.Compare("v"+have, "v"+module.Go.Version) < 0 {
		return missing(fix, "%s, go.mod needs %s", have, module.Go.Version)
	}
	return ok("%s, go.mod needs %s", number.FindString(said), module.Go.Version)
}

// pinned compares a program of node_modules with the version of its package in package.json.
func (d *Doctor) pinned(name, program string) func(context.Context) Line {
	return func(ctx context.Context) Line {
		want, err := d.pin(name)
		if err != nil {
			return unread(err)
		}
		said, err := d.Run(ctx, d.Root, filepath.Join(d.Root, "node_modules", ".bin", program), "--version")
		if err != nil {
			return unstarted("node_modules/.bin/"+program, "npm ci", err)
		}
		if have := number.FindString(said); have != want {
			return missing("npm ci", "%s, package.json pins %s", have, want)
		}
		return ok("%s, as package.json pins it", want)
	}
}

// pin is the version of a package in package.json.
func (d *Doctor) pin(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(d.Root, "package.json"))
	if err != nil {
		return "", err
	}
	var file struct {
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return "", fmt.Errorf("package.json: %w", err)
	}
	if file.DevDependencies[name] == "" {
		return "", fmt.Errorf("package.json: devDependencies must name %s", name)
	}
	return file.DevDependencies[name], nil
}
