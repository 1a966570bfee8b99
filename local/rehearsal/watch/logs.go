package watch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// logs are the errors in the logs of containers by what they say.
type logs struct {
	mu sync.Mutex
	// streams are those that are followed, by pod, container and start.
	streams map[string]bool
	all     map[string]*logged
}

type logged struct {
	rehearsal.LogLine
	first, last time.Time
}

func newLogs() *logs { return &logs{streams: map[string]bool{}, all: map[string]*logged{}} }

// follow reads the logs of a pod's containers from their beginning, which says what the base writes when it starts, and goes on.
func (w *Watch) follow(p *corev1.Pod) {
	of := workload(p)
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if c.State.Running == nil && c.State.Terminated == nil {
			continue
		}
		// A container that starts again has a log of its own.
		key := fmt.Sprint(p.UID, c.Name, c.RestartCount)
		w.logs.mu.Lock()
		followed := w.logs.streams[key]
		w.logs.streams[key] = true
		w.logs.mu.Unlock()
		if followed {
			continue
		}
		w.tasks.Go(func() {
			if err := w.stream(w.life, p, of, c.Name); err != nil && w.life.Err() == nil {
				w.unseen("the log of "+of.String()+" ("+c.Name+")", err)
			}
		})
	}
}

// stream reads one log to its end.
func (w *Watch) stream(ctx context.Context, p *corev1.Pod, of rehearsal.Where, container string) error {
	body, err := w.sources.logs(ctx, p, container)
	if err != nil {
		return err
	}
	defer body.Close()
	in := bufio.NewReader(body)
	for {
		line, err := in.ReadString('\n')
		if stamp, text, ok := strings.Cut(line, " "); ok {
			if at, bad := time.Parse(time.RFC3339Nano, stamp); bad == nil {
				w.logs.note(of, container, text, at)
			}
		}
		if err == io.EOF || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// note keeps a line if it is an error.
func (all *logs) note(of rehearsal.Where, container, line string, at time.Time) {
	text, key, bad := errorLine(line)
	if !bad {
		return
	}
	key = of.String() + "\n" + container + "\n" + key
	all.mu.Lock()
	defer all.mu.Unlock()
	seen := all.all[key]
	if seen == nil {
		seen = &logged{LogLine: rehearsal.LogLine{Where: of, Container: container, Text: text}, first: at, last: at}
		all.all[key] = seen
	}
	seen.Count++
	if at.Before(seen.first) {
		seen.first = at
	}
	if at.After(seen.last) {
		seen.last = at
	}
}

// result are the errors that the base does not have, by workload and container.
func (all *logs) result(t *timeline) []rehearsal.LogLine {
	all.mu.Lock()
	defer all.mu.Unlock()
	var out []rehearsal.LogLine
	for _, key := range sorted(all.all) {
		seen := all.all[key]
		if seen.First, _ = t.at(seen.first); seen.First == rehearsal.Before {
			continue
		}
		seen.Last, _ = t.at(seen.last)
		out = append(out, seen.LogLine)
	}
	return out
}
