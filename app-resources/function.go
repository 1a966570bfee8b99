package appresources

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"
)

// Function is one of functions, which `make bin/app` compiles.
type Function struct {
	// Name is that of its folder, and of the one below bin/functions.
	Name string
	// Sources are the folders of this repository that it is made of; a test holds them to its imports.
	Sources []string
}

// The functions.
var (
	DatabaseFunction = Function{"database", []string{"functions/database", "internal/awsclient", "internal/eks", "internal/httpbody", "internal/rdsca"}}
	AlertsFunction   = Function{"alerts", []string{"functions/alerts", "internal/awsclient", "internal/httpbody"}}
)

// FunctionCode is a compiled function.
type FunctionCode struct {
	// Folder holds the program, named bootstrap.
	Folder string
	// Hash names the code. It is of what the program is made of and not of the program, which another patch release of Go
	// compiles to other bytes: one commit makes the same templates on every machine.
	Hash string
}

// ReadFunction returns a function that was compiled below root.
func ReadFunction(root string, f Function) (FunctionCode, error) {
	compiled := "bin/functions/" + f.Name
	code := FunctionCode{Folder: filepath.Join(root, filepath.FromSlash(compiled))}
	info, err := buildinfo.ReadFile(filepath.Join(code.Folder, "bootstrap"))
	if err != nil {
		return code, fmt.Errorf("%s: %w; run make bin/app", compiled, err)
	}
	sum := sha256.New()
	for _, m := range info.Deps {
		fmt.Fprintln(sum, m.Path, m.Version, m.Sum)
	}
	for _, folder := range f.Sources {
		if err := addSources(sum, root, folder); err != nil {
			return code, err
		}
	}
	line, err := goLine(filepath.Join(root, "go.mod"))
	if err != nil {
		return code, err
	}
	fmt.Fprintln(sum, line)
	code.Hash = hex.EncodeToString(sum.Sum(nil))
	return code, nil
}

// addSources adds the names and the contents of the files in a folder, without tests.
func addSources(sum interface{ Write([]byte) (int, error) }, root, folder string) error {
	var files []string
	err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(folder)), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, "_test.go") && !strings.Contains(filepath.ToSlash(path), "/testdata/") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, filepath.ToSlash(name), len(content))
		if _, err := sum.Write(content); err != nil {
			return err
		}
	}
	return nil
}

// goLine is the line of go.mod with the version of Go, which a fix in Go's library raises.
func goLine(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(content) {
		if bytes.HasPrefix(line, []byte("go ")) {
			return strings.TrimSpace(string(line)), nil
		}
	}
	return "", fmt.Errorf("%s: must have a line with the version of Go", file)
}

// Asset is the code as the CDK takes it.
func (c FunctionCode) Asset() awslambda.Code {
	return awslambda.Code_FromAsset(jsii.String(c.Folder), &awss3assets.AssetOptions{
		AssetHash: jsii.String(c.Hash), AssetHashType: awscdk.AssetHashType_CUSTOM,
	})
}
