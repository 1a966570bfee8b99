package dashboard

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/status"
)

// pages are the templates. They escape whatever they are given: a commit's subject is anybody's text.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"path": path, "short": short, "badge": badge, "execution": status.ExecutionWord, "revision": status.Short, "stamp": stamp,
	"stack": func(k status.Stack) string { return strings.ToLower(strings.ReplaceAll(k.Status, "_", " ")) },
	"kind": func(resource string) string {
		return strings.ReplaceAll(strings.TrimPrefix(resource, "AWS::"), "::", " ")
	},
	"join": func(all []string) string { return strings.Join(all, ", ") },
	"pod":  podWord, "workload": workload,
}).ParseFS(files, "page/*.html"))

type overviewPage struct{ Environments []view }

type applicationPage struct {
	Environment view
	Application application
}

// view is an environment as its templates see it.
type view struct {
	Name string
	Seen
}

// short is a commit as people read it.
func short(commit string) string { return fmt.Sprintf("%.12s", commit) }

// stamp is a time of a day as people read it, and empty for none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04")
}

// mood is how a state looks beside its word: color is never all that tells it.
type mood struct{ Word, Class string }

// moods are the classes of the states' words; a word that is not here is neither good nor bad.
var moods = map[string]string{
	string(status.Verified): "good", "ready": "good", "ok": "good", string(status.Passed): "good",
	string(status.Applying): "busy", "waits": "busy", "behind": "busy", string(status.Running): "busy", string(status.Approval): "busy", string(status.Unreleased): "busy",
	string(status.Failed): "bad", "not whole": "bad", string(status.Stopped): "bad", "not read": "bad",
}

func badge(word any) mood {
	text := fmt.Sprint(word)
	class := moods[text]
	switch status.StageState(text) {
	case status.Approval:
		text = "waits for an approval"
	case status.Pending:
		text = "to come"
	}
	return mood{text, class}
}

// State is the environment's in a word.
func (v view) State() string {
	switch {
	case v.Environment == nil && v.Failure != "":
		return "not read"
	case v.Environment == nil:
		return "being read"
	}
	return string(v.Environment.Status.State)
}

// Mark stands for the time of the last look.
func (v view) Mark() string { return readMark }

// Missing is why a part is not there; empty when it is.
func (v view) Missing(part string) string { return v.Environment.Unread[part] }

// Cause is the environment's, unless it stands beside the part that it is of.
func (v view) Cause() string {
	for _, why := range v.Environment.Status.Unread {
		if why == v.Environment.Status.Cause {
			return ""
		}
	}
	return v.Environment.Status.Cause
}

// Broken counts the stacks that are not whole.
func (v view) Broken() int {
	return count(v.Environment.Status.Stacks, func(k status.Stack) bool { return !k.Whole })
}

// Unready counts the objects of Flux that are not ready with the commit.
func (v view) Unready() int {
	return count(v.Environment.Status.Objects, func(o status.Object) bool { return o.Word() != "ready" })
}

// Short counts the workloads with fewer pods than wanted.
func (v view) Short() int {
	return count(v.Environment.Workloads, func(w flux.Workload) bool { return workload(w) != "ready" })
}

func count[T any](all []T, is func(T) bool) int {
	n := 0
	for _, one := range all {
		if is(one) {
			n++
		}
	}
	return n
}

// Image is one that runs, and where.
type Image struct {
	Name      string
	Workloads []flux.Workload
}

// Images are those of the workloads, by name.
func (v view) Images() []Image {
	var all []Image
	for _, w := range v.Environment.Workloads {
		for _, name := range w.Images {
			at := slices.IndexFunc(all, func(i Image) bool { return i.Name == name })
			if at < 0 {
				at, all = len(all), append(all, Image{Name: name})
			}
			all[at].Workloads = append(all[at].Workloads, w)
		}
	}
	slices.SortFunc(all, func(a, b Image) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Word is the state of what runs an image.
func (i Image) Word() string {
	for _, w := range i.Workloads {
		if word := workload(w); word != "ready" {
			return word
		}
	}
	return "ready"
}

// workload is its state in a word.
func workload(w flux.Workload) string {
	switch {
	case w.Cause != "":
		return "failed"
	case w.Ready < w.Wanted:
		return "waits"
	}
	return "ready"
}

// application is what belongs together by its name: a service of the fleet, or a stack and a namespace.
type application struct {
	Name      string
	Service   *Service
	Workloads []flux.Workload
	Stack     *status.Stack
	// Applied is the object of Flux that brings it; nil when it is not known.
	Applied *status.Object
	// Detail is there on its own page only.
	Detail *Detail
}

// Applications are those of the fleet, and those with a stack and pods of the same name, as Ghost has them.
func (v view) Applications() []application {
	names := map[string]bool{}
	for _, s := range v.Environment.Services {
		names[s.Service] = true
	}
	for _, w := range v.Environment.Workloads {
		if v.stack(w.Namespace) != nil {
			names[w.Namespace] = true
		}
	}
	var all []application
	for name := range names {
		a, _ := v.application(name)
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b application) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// application puts together what has a name.
func (v view) application(name string) (application, bool) {
	e, a := v.Environment, application{Name: name, Stack: v.stack(name)}
	for i := range e.Services {
		if e.Services[i].Service == name {
			a.Service = &e.Services[i]
		}
	}
	for _, w := range e.Workloads {
		if w.Namespace == name {
			a.Workloads = append(a.Workloads, w)
		}
	}
	for i := range e.Status.Objects {
		o := &e.Status.Objects[i]
		if len(a.Workloads) > 0 && a.Workloads[0].By == o.Kind+" "+o.Namespace+"/"+o.Name {
			a.Applied = o
		}
	}
	if d, there := e.Details[name]; there {
		a.Detail = &d
	}
	return a, a.Service != nil || a.Stack != nil || len(a.Workloads) > 0
}

// stack is the application's own.
func (v view) stack(name string) *status.Stack {
	for i, k := range v.Environment.Status.Stacks {
		if k.Name == v.Name+"-"+name {
			return &v.Environment.Status.Stacks[i]
		}
	}
	return nil
}

// Word is the application's state: the worst of its parts.
func (a application) Word() string {
	word := "unknown"
	worse := func(now string) {
		rank := []string{"unknown", "ready", "waits", "failed"}
		if slices.Index(rank, now) > slices.Index(rank, word) {
			word = now
		}
	}
	if a.Service != nil {
		worse(a.Published())
	}
	for _, w := range a.Workloads {
		worse(workload(w))
	}
	if a.Stack != nil && !a.Stack.Whole {
		worse(map[bool]string{true: "waits", false: "failed"}[strings.HasSuffix(a.Stack.Status, "_IN_PROGRESS")])
	}
	return word
}

// Published is the state of what is published of it; unknown, where that or the cluster is not read.
func (a application) Published() string {
	state := a.Service.State
	if state.Ready == "Unknown" && state.Message == "" {
		return "unknown"
	}
	return map[string]string{"True": "ready", "False": "failed", "Unknown": "waits"}[state.Ready]
}

// Images that its pods run, or that its file names while none does.
func (a application) Images() []string {
	var all []string
	for _, w := range a.Workloads {
		all = append(all, w.Images...)
	}
	if len(all) == 0 && a.Service != nil {
		return []string{a.Service.Image}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Pods says how many are ready of how many.
func (a application) Pods() string {
	var ready, wanted int64
	for _, w := range a.Workloads {
		ready, wanted = ready+w.Ready, wanted+w.Wanted
	}
	if len(a.Workloads) == 0 && a.Service != nil {
		return a.Service.Pods + " wanted"
	}
	return fmt.Sprintf("%d of %d", ready, wanted)
}

// Size is what a pod requests, or what the file asks for while there is none.
func (a application) Size() string {
	var all []string
	for _, w := range a.Workloads {
		all = append(all, size(w.CPU, w.Memory))
	}
	if len(a.Workloads) == 0 && a.Service != nil {
		all = append(all, size(a.Service.CPU, a.Service.Memory))
	}
	return strings.Join(slices.DeleteFunc(all, func(text string) bool { return text == "" }), "; ")
}

func size(cpu, memory string) string {
	var parts []string
	if cpu != "" {
		parts = append(parts, "CPU "+cpu)
	}
	if memory != "" {
		parts = append(parts, "memory "+memory)
	}
	return strings.Join(parts, ", ")
}

// Paid are the resources that a bill has.
func (d Detail) Paid() []Resource { return d.resources(true) }

// Others are the rest.
func (d Detail) Others() []Resource { return d.resources(false) }

func (d Detail) resources(paid bool) []Resource {
	var some []Resource
	for _, r := range d.Resources {
		if r.Paid == paid {
			some = append(some, r)
		}
	}
	return some
}

// Word is the resource's state.
func (r Resource) Word() string {
	switch {
	case strings.HasSuffix(r.Status, "_FAILED"):
		return "failed"
	case strings.HasSuffix(r.Status, "_IN_PROGRESS"):
		return "waits"
	}
	return "ready"
}

// podWord is the state of a pod.
func podWord(p flux.Pod) string {
	switch {
	case p.Ready || p.Phase == "Succeeded":
		return "ready"
	case p.Cause != "" || p.Phase == "Failed":
		return "failed"
	}
	return "waits"
}
