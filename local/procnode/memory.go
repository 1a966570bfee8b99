package procnode

import (
	"context"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// memoryEvery is the pause between two looks at what processes use.
const memoryEvery = time.Second

// memory ends containers that use more than their limit, as the kernel does in a cgroup, which takes root to make. A peak between
// two looks is not seen.
type memory struct {
	mu     sync.Mutex
	groups map[int]*limited
	began  bool
}

// limited is a container's process group with its limit in bytes.
type limited struct {
	process  *process
	limit    int64
	exceeded bool
}

// limit holds a process to a container's limit until the result is called, which reports whether it was ended for it.
func (m *memory) limit(ctx context.Context, p *process, spec *corev1.Container) func() bool {
	quantity, set := spec.Resources.Limits[corev1.ResourceMemory]
	if !set || quantity.Sign() <= 0 {
		return func() bool { return false }
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.groups == nil {
		m.groups = map[int]*limited{}
	}
	group, l := p.cmd.Process.Pid, &limited{process: p, limit: quantity.Value()}
	m.groups[group] = l
	if !m.began {
		m.began = true
		go m.watch(context.WithoutCancel(ctx))
	}
	return func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.groups[group] == l {
			delete(m.groups, group)
		}
		return l.exceeded
	}
}

// watch looks while there are containers with a limit.
func (m *memory) watch(ctx context.Context) {
	for sleep(ctx, memoryEvery) {
		used := groupMemory()
		m.mu.Lock()
		for group, l := range m.groups {
			if used[group] > l.limit && !l.process.over() {
				l.exceeded = true
				l.process.signal(syscall.SIGKILL)
			}
		}
		if m.began = len(m.groups) > 0; !m.began {
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
	}
}
