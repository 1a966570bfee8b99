package system

import (
	"context"
	"errors"
	"fmt"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// Down stops every process and keeps the state. It returns false when nothing
// ran.
func (s *System) Down(ctx context.Context) (bool, error) {
	if !s.Dir.Ours() {
		return false, nil
	}
	lock, err := s.Dir.Acquire("down")
	if err != nil {
		return false, err
	}
	defer lock.Release()
	return s.stop(ctx)
}

func (s *System) stop(ctx context.Context) (bool, error) {
	run, ran := s.Dir.Path("run"), false
	for _, r := range supervise.All(run) {
		ran = ran || r.Running
	}
	stop := progress.Step{Name: "Stop processes", Run: func(ctx context.Context, out *progress.Output) error {
		if err := supervise.Stop(ctx, run, s.Dir.Root, stopGrace); err != nil {
			return err
		}
		if err := s.Dir.ClearTemp(); err != nil {
			return err
		}
		if !ran {
			out.Result("none ran")
			return nil
		}
		return s.portsAreFree()
	}}
	return ran, progress.Runner{Display: s.Display}.Run(ctx, []progress.Step{stop})
}

// portsAreFree verifies that nothing is left of the processes.
func (s *System) portsAreFree() error {
	ports, err := s.Dir.LoadPorts()
	if err != nil {
		return err
	}
	var names []string
	for n := range ports {
		names = append(names, n)
	}
	if err := s.Dir.CheckFree(ports, names...); err != nil {
		return fmt.Errorf("something still listens: %w", err)
	}
	return nil
}

// Reset stops every process and removes the state directory. A directory that
// Up did not make is refused.
func (s *System) Reset(ctx context.Context) error {
	if !s.Dir.Ours() {
		return s.Dir.Remove()
	}
	lock, err := s.Dir.Acquire("reset")
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := s.stop(ctx); err != nil {
		return err
	}
	remove := progress.Step{Name: "Remove " + s.Dir.Root, Run: func(context.Context, *progress.Output) error { return s.Dir.Remove() }}
	return progress.Runner{Display: s.Display}.Run(ctx, []progress.Step{remove})
}

// errStopped is returned by what needs a running system.
var errStopped = errors.New("the local system is stopped: run `gitops local up`")

// running fails when the system does not run.
func (s *System) running() (layout.Ports, error) {
	if !s.Dir.Ours() {
		return nil, fmt.Errorf("no local system in %s: run `gitops local up`", s.Dir.Root)
	}
	if !supervise.Running(s.Dir.Path("run")) {
		return nil, errStopped
	}
	return s.Dir.LoadPorts()
}
