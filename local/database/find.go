package database

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"k8s-plus-aws-gitops/local/internal/debian"
)

// directories are where packages put the server beside PATH: Debian, Fedora and Homebrew.
var directories = []string{
	"/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin",
	"/opt/homebrew/opt/mariadb/bin", "/usr/local/opt/mariadb/bin",
}

// find is the path of a program of MariaDB's server package.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range directories {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not on PATH nor in %s: %s", name, strings.Join(directories, ", "), remedy())
}

// Version is what the server says of itself. It differs wherever the data directory may.
func Version(ctx context.Context) (string, error) {
	mariadbd, err := find("mariadbd")
	if err != nil {
		return "", fmt.Errorf("database: %w", err)
	}
	out, err := exec.CommandContext(ctx, mariadbd, "--no-defaults", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("database: %s --version: %w", mariadbd, err)
	}
	_, version, _ := strings.Cut(string(out), "Ver ")
	return strings.TrimSpace(version), nil
}

// remedy is the command that installs the server on this system. The Debian package is the one without a
// service: mariadb-server would start a server of its own on port 3306.
func remedy() string {
	command := "install MariaDB 10.6 or newer from the system's packages"
	switch {
	case runtime.GOOS == "darwin":
		command = "run brew install mariadb"
	case debian.Here():
		command = "run sudo apt-get install -y " + strings.Join(debianPackages, " ")
	case onPath("dnf"):
		command = "run sudo dnf install -y mariadb-server"
	}
	return command
}

// The last one has mariadb-dump, by which snapshots are made.
var debianPackages = []string{"mariadb-server-core", "mariadb-client-core", "mariadb-client"}

func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// Installed tells whether the server's programs are there, and what to do when they are not.
func Installed() error {
	for _, name := range []string{"mariadbd", "mariadb-install-db", "mariadb-dump"} {
		if _, err := find(name); err != nil {
			return err
		}
	}
	return nil
}

// Install makes sure that the server's programs are there. As root on Debian and its relatives it installs
// them with apt-get, whose output goes to out; everywhere else the error names the command to run.
func Install(ctx context.Context, out io.Writer) error {
	err := Installed()
	if err == nil {
		return nil
	}
	if os.Geteuid() != 0 || !debian.Here() {
		return err
	}
	if err := debian.Install(ctx, out, debianPackages...); err != nil {
		return err
	}
	return Installed()
}
