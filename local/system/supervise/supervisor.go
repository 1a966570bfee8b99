package supervise

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"k8s-plus-aws-gitops/local/internal/spawn"
)

// Supervisor runs the plan of a run folder.
type Supervisor struct {
	// Run is the folder with processes.json.
	Run string
	Log *slog.Logger
	// Restart is the back-off between an exit and the next start.
	Restart Backoff

	plan  *Plan
	mu    sync.Mutex
	kids  map[string]*child
	ready map[string]bool
}

// child is one wanted process and the goroutine that keeps it running.
type child struct {
	spec   Process
	cancel context.CancelFunc
	done   chan struct{}
}

// Supervise runs until ctx ends or a signal asks to stop, then stops every
// process in reverse order. It returns nil at once when another supervisor has
// the lock. SIGHUP reads the plan anew and replaces only what changed.
func (s *Supervisor) Supervise(ctx context.Context) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	lock, ok, err := hold(ctx, s.Run, SupervisorName)
	if err != nil || !ok {
		return err
	}
	defer lock.Close()
	defer os.Remove(recordFile(s.Run, SupervisorName))
	if s.plan, err = LoadPlan(s.Run); err != nil {
		return err
	}
	s.kids, s.ready = map[string]*child{}, map[string]bool{}
	if err := s.sweep(); err != nil {
		s.Log.Error("processes of an earlier supervisor", "error", err)
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)

	guarded, unguard := context.WithCancel(ctx)
	var guard sync.WaitGroup
	guard.Go(func() { watch(guarded, s.Run, WatchdogName, s.Log) })
	s.apply(ctx)
	rotation := time.NewTicker(10 * time.Second)
	defer rotation.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-reload:
			s.apply(ctx)
		case <-rotation.C:
			s.rotate()
		}
	}
	// A wanted end is written down before the watchdog could see it.
	if err := markStop(s.Run); err != nil {
		s.Log.Error("the watchdog will start this system again", "error", err)
	}
	unguard()
	guard.Wait()
	s.stopAll()
	return nil
}

// sweep ends what an earlier supervisor left: on Linux nothing, because the
// kernel kills its children with it.
func (s *Supervisor) sweep() error {
	var left []Record
	for _, r := range records(s.Run) {
		if r.Name == SupervisorName || r.Name == WatchdogName {
			continue
		}
		if r.Running {
			s.Log.Info("ending a process of an earlier supervisor", "name", r.Name, "pid", r.PID)
			left = append(left, r)
		}
	}
	return end(s.Run, left, 10*time.Second)
}

// apply reads the plan and starts, replaces or stops what differs.
func (s *Supervisor) apply(ctx context.Context) {
	plan, err := LoadPlan(s.Run)
	if err != nil {
		s.Log.Error("keeping the old plan", "error", err)
		return
	}
	s.mu.Lock()
	s.plan = plan
	var gone []*child
	for name, k := range s.kids {
		i := slices.IndexFunc(plan.Processes, func(p Process) bool { return p.Name == name })
		if i < 0 || !same(plan.Processes[i], k.spec) {
			gone = append(gone, k)
			delete(s.kids, name)
			delete(s.ready, name)
		}
	}
	s.mu.Unlock()
	for _, k := range gone {
		s.Log.Info("replacing", "name", k.spec.Name)
		k.cancel()
		<-k.done
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.acknowledge(plan)
	for _, p := range plan.Processes {
		if s.kids[p.Name] != nil {
			continue
		}
		// Not a child of ctx: stopAll ends them in order.
		kctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		k := &child{spec: p, cancel: cancel, done: make(chan struct{})}
		s.kids[p.Name] = k
		go func() {
			defer close(k.done)
			s.keep(kctx, p)
		}()
	}
}

// acknowledge writes down that the plan is in force: what it replaces is gone.
func (s *Supervisor) acknowledge(p *Plan) {
	r := Read(s.Run, SupervisorName)
	r.Plan = p.digest()
	if err := r.save(s.Run); err != nil {
		s.Log.Error("record", "error", err)
	}
}

func same(a, b Process) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func (s *Supervisor) stopAll() {
	levels, err := s.plan.levels()
	if err != nil {
		levels = [][]Process{s.plan.Processes}
	}
	for _, level := range slices.Backward(levels) {
		var wait []*child
		for _, p := range level {
			if k := s.kids[p.Name]; k != nil {
				k.cancel()
				wait = append(wait, k)
			}
		}
		for _, k := range wait {
			<-k.done
		}
	}
}

func (s *Supervisor) rotate() {
	s.mu.Lock()
	plan := s.plan
	s.mu.Unlock()
	names := []string{SupervisorName, WatchdogName}
	for _, p := range plan.Processes {
		names = append(names, p.Name)
	}
	for _, n := range names {
		if err := rotate(plan.Logs, n, logLimit); err != nil {
			s.Log.Error("log rotation", "name", n, "error", err)
		}
	}
}

// keep runs one process until ctx ends.
func (s *Supervisor) keep(ctx context.Context, p Process) {
	r := Record{Name: p.Name}
	wait := s.Restart
	for s.waitFor(ctx, p.After) {
		began := time.Now()
		err := s.once(ctx, p, &r)
		s.setReady(p.Name, false)
		if ctx.Err() != nil {
			return
		}
		r.LastExit, r.Restarts, r.Ready = exitText(err), r.Restarts+1, false
		if err := r.save(s.Run); err != nil {
			s.Log.Error("record", "name", p.Name, "error", err)
		}
		pause := wait.next(time.Since(began))
		s.Log.Warn("process ended", "name", p.Name, "exit", r.LastExit, "after", time.Since(began).Round(time.Millisecond), "restart", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// once starts the process and waits for its end.
func (s *Supervisor) once(ctx context.Context, p Process, r *Record) error {
	s.mu.Lock()
	logs, state := s.plan.Logs, s.plan.State
	s.mu.Unlock()
	log, err := openLog(logs, p.Name)
	if err != nil {
		return err
	}
	defer log.Close()
	if len(p.Command) == 0 {
		return fmt.Errorf("process %s has no command", p.Name)
	}
	cmd := exec.Command(p.Command[0], p.Command[1:]...) //nolint:gosec // the plan's own command
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, log, log
	cmd.Env = append(append(os.Environ(), p.Env...), StateVariable+"="+state)
	fmt.Fprintf(log, "--- %s started %s\n", p.Name, time.Now().Format(time.RFC3339))
	if err := spawn.Start(cmd); err != nil {
		fmt.Fprintf(log, "--- %v\n", err)
		return err
	}
	r.PID, r.Start, r.Since, r.Ready = cmd.Process.Pid, startTime(cmd.Process.Pid), time.Now(), false
	if err := r.save(s.Run); err != nil {
		s.Log.Error("record", "name", p.Name, "error", err)
	}
	exit := make(chan error, 1)
	go func() { exit <- cmd.Wait() }()
	probing, probed := context.WithCancel(ctx)
	defer probed()
	go s.untilReady(probing, p, *r)
	select {
	case err := <-exit:
		fmt.Fprintf(log, "--- %s ended: %s\n", p.Name, exitText(err))
		return err
	case <-ctx.Done():
	}
	grace := p.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	if err := end(s.Run, []Record{*r}, grace); err != nil {
		return err
	}
	return <-exit
}

// untilReady probes the process and writes down when it is ready.
func (s *Supervisor) untilReady(ctx context.Context, p Process, r Record) {
	for ctx.Err() == nil {
		if probe(ctx, p.Ready) == nil && ctx.Err() == nil {
			r.Ready = true
			if err := r.save(s.Run); err != nil {
				s.Log.Error("record", "name", p.Name, "error", err)
			}
			s.setReady(p.Name, true)
			return
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

func (s *Supervisor) setReady(name string, ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready[name] = ready
}

// waitFor waits until the named processes are ready; false when ctx ended.
func (s *Supervisor) waitFor(ctx context.Context, names []string) bool {
	for ctx.Err() == nil {
		s.mu.Lock()
		missing := slices.ContainsFunc(names, func(n string) bool { return !s.ready[n] })
		s.mu.Unlock()
		if !missing {
			return true
		}
		sleep(ctx, 50*time.Millisecond)
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
