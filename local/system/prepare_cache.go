package system

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"k8s-plus-aws-gitops/local/database/valkey"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// cachePrefix begins the names of the processes of caches.
const cachePrefix = "cache-"

// caches run a server for each replication group that a stack asks for: resources.Caches.
type caches struct {
	system *System
	ports  layout.Ports
	out    io.Writer
	// starting is held while the supervisor's plan changes.
	starting *sync.Mutex
}

func (s *System) cacheDir(group string) string { return s.Dir.Path("caches", group) }

// groups are those that have a server.
func (s *System) groups() []string {
	found, _ := filepath.Glob(s.cacheDir("*")) // the pattern is ours
	found = slices.DeleteFunc(found, func(dir string) bool { return !valkey.Made(dir) })
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// Start makes sure that a group's server runs with a password.
func (c *caches) Start(ctx context.Context, group, password string) (int, error) {
	c.starting.Lock()
	defer c.starting.Unlock()
	if err := valkey.Install(ctx, c.out); err != nil {
		return 0, err
	}
	dir := c.system.cacheDir(group)
	port, err := c.port(dir)
	if err != nil {
		return 0, err
	}
	before, _ := valkey.Digest(dir) // of none: empty
	if _, err := valkey.Prepare(dir, port, password, c.system.databaseTLS()); err != nil {
		return 0, err
	}
	process, err := c.system.cache(group)
	if err != nil {
		return 0, err
	}
	if before != "" && before != process.Digest { // another password
		if err := c.system.unsupervised(ctx, process.Name); err != nil {
			return 0, err
		}
	}
	return port, c.system.supervised(ctx, process.Name, func() (supervise.Process, error) { return process, nil })
}

// port is that of the group's server, or a free one.
func (c *caches) port(dir string) (int, error) {
	if valkey.Made(dir) {
		return valkey.Port(dir)
	}
	taken := slices.Collect(maps.Values(c.ports))
	for _, group := range c.system.groups() {
		port, err := valkey.Port(c.system.cacheDir(group))
		if err != nil {
			return 0, err
		}
		taken = append(taken, port)
	}
	return c.system.Dir.FreePort(taken...)
}

// Remove ends a group's server, and removes what it has.
func (c *caches) Remove(ctx context.Context, group string) error {
	c.starting.Lock()
	defer c.starting.Unlock()
	if err := c.system.unsupervised(ctx, cachePrefix+group); err != nil {
		return err
	}
	return os.RemoveAll(c.system.cacheDir(group))
}

// cache is the process of a group that has a server.
func (s *System) cache(group string) (supervise.Process, error) {
	dir := s.cacheDir(group)
	c, err := valkey.Command(dir)
	if err != nil {
		return supervise.Process{}, err
	}
	port, err := valkey.Port(dir)
	if err != nil {
		return supervise.Process{}, err
	}
	process := fromCmd(cachePrefix+group, c)
	process.Ready = "tcp://127.0.0.1:" + strconv.Itoa(port)
	process.Digest, err = valkey.Digest(dir)
	return process, err
}

// madeCaches are the processes of the caches that there are.
func (s *System) madeCaches(ctx context.Context, out io.Writer) ([]supervise.Process, error) {
	var all []supervise.Process
	for _, group := range s.groups() {
		if err := valkey.Install(ctx, out); err != nil {
			return nil, err
		}
		process, err := s.cache(group)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", group, err)
		}
		all = append(all, process)
	}
	return all, nil
}
