// Package debian installs packages of Debian and its relatives.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Here reports whether this system installs packages by apt-get.
func Here() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil
}

// Install installs packages, as root. The output of apt-get goes to out.
func Install(ctx context.Context, out io.Writer, packages ...string) error {
	return fresh(ctx, out, func() error { return install(ctx, out, packages...) })
}

// InstallOne installs the first of several packages that this release has.
func InstallOne(ctx context.Context, out io.Writer, packages ...string) error {
	return fresh(ctx, out, func() error {
		var all []error
		for _, p := range packages {
			err := install(ctx, out, p)
			if err == nil || ctx.Err() != nil {
				return err
			}
			all = append(all, err)
		}
		return errors.Join(all...)
	})
}

func install(ctx context.Context, out io.Writer, packages ...string) error {
	fmt.Fprintln(out, "installing", strings.Join(packages, " "))
	if err := apt(ctx, out, append([]string{"install", "-y", "--no-install-recommends"}, packages...)...); err != nil {
		return fmt.Errorf("apt-get install %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

// fresh tries again with new package lists: those of a fresh machine are empty or old.
func fresh(ctx context.Context, out io.Writer, try func() error) error {
	if err := try(); err == nil || ctx.Err() != nil {
		return err
	}
	if err := apt(ctx, out, "update"); err != nil {
		return fmt.Errorf("apt-get update: %w: check the network and /etc/apt/sources.list", err)
	}
	return try()
}

func apt(ctx context.Context, out io.Writer, args ...string) error {
	var stderr strings.Builder
	c := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=120"}, args...)...)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	c.Stdout, c.Stderr = out, io.MultiWriter(out, &stderr)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	if err := c.Run(); err != nil {
		for _, line := range strings.Split(stderr.String(), "\n") {
			if strings.HasPrefix(line, "E: ") {
				return errors.New(strings.TrimPrefix(line, "E: "))
			}
		}
		return err
	}
	return nil
}
