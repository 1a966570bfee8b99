package fleet

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/system/supervise"
)

// Names of Flux's controllers, which are also the names of their programs.
const (
	sourceController    = "source-controller"
	kustomizeController = "kustomize-controller"
)

// usage is what the processes of one name use.
type usage struct {
	// cpu is processor time, that of children which ended included.
	cpu time.Duration
	// rss is resident memory in bytes.
	rss int64
	// address is where a controller serves its metrics and profiles.
	address string
}

// usage looks at every process of the system: the supervisor and what descends from it, pods among them.
func (s *system) usage() (map[string]usage, error) {
	supervisor := supervise.Read(s.dir.Path("run"), supervise.SupervisorName)
	if !supervisor.Running {
		return nil, errors.New("the local system does not run: see its logs in " + s.dir.Path("log"))
	}
	// BSD's options, which both Linux and macOS have: S adds the time of children that ended.
	out, err := exec.Command("ps", "axSww", "-o", "pid=,ppid=,rss=,time=,args=").Output()
	if err != nil {
		return nil, fmt.Errorf("ps: %w", err)
	}
	return sum(string(out), supervisor.PID)
}

// process is a line of ps.
type process struct {
	parent int
	usage
	name string
}

// sum adds up the descendants of a process by name.
func sum(ps string, root int) (map[string]usage, error) {
	all := map[int]process{}
	for line := range strings.Lines(ps) {
		pid, p, err := parse(line)
		if err != nil {
			return nil, err
		}
		all[pid] = p
	}
	below := func(pid int) bool {
		for range len(all) {
			if pid == root {
				return true
			}
			p, known := all[pid]
			if !known {
				return false
			}
			pid = p.parent
		}
		return false
	}
	total := map[string]usage{}
	for pid, p := range all {
		if !below(pid) {
			continue
		}
		u := total[p.name]
		u.cpu, u.rss = u.cpu+p.cpu, u.rss+p.rss
		if p.address != "" {
			u.address = p.address
		}
		total[p.name] = u
	}
	return total, nil
}

func parse(line string) (int, process, error) {
	f := strings.Fields(line)
	if len(f) < 5 {
		return 0, process{}, fmt.Errorf("ps: unexpected line %q", line)
	}
	pid, err1 := strconv.Atoi(f[0])
	parent, err2 := strconv.Atoi(f[1])
	rss, err3 := strconv.ParseInt(f[2], 10, 64)
	cpu, err4 := clock(f[3])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return 0, process{}, fmt.Errorf("ps: unexpected line %q: %w", line, err)
	}
	p := process{parent: parent, usage: usage{cpu: cpu, rss: rss << 10}, name: nameOf(f[4:])}
	for _, arg := range f[5:] {
		if address, ok := strings.CutPrefix(arg, "--metrics-addr="); ok {
			p.address = address
		}
	}
	return pid, p, nil
}

// nameOf is what a process is called in the figures: a daemon of the laboratory by its own name, the rest by its program.
func nameOf(args []string) string {
	program := filepath.Base(args[0])
	if program == "gitops-local" && len(args) > 2 && args[1] == "run" {
		return args[2]
	}
	if strings.HasPrefix(program, "python") {
		return "moto"
	}
	return program
}

// clock reads ps's form of a processor time: [[days-]hours:]minutes:seconds, with hundredths on macOS.
func clock(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "-")
	if !found {
		days, rest = "0", text
	}
	d, err := strconv.Atoi(days)
	if err != nil {
		return 0, err
	}
	seconds := 0.0
	for part := range strings.SplitSeq(rest, ":") {
		x, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0, err
		}
		seconds = seconds*60 + x
	}
	return time.Duration(d)*24*time.Hour + time.Duration(seconds*float64(time.Second)), nil
}

func cores() int { return runtime.NumCPU() }

// load is the machine's load average as uptime writes it.
func load(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "uptime").Output()
	if err != nil {
		return "unknown"
	}
	_, after, _ := strings.Cut(string(out), "load average")
	return strings.Trim(after, "s: \n")
}
