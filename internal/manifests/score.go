package manifests

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// acceptKey is kube-score's own annotation. On a HelmRelease it is for the objects of its chart.
const acceptKey = "kube-score/ignore"

// unasked are kube-score's checks that nothing here is held to, each with the reason. One that nothing fails any more fails TestScore.
var unasked = map[string]string{
	"container-resources": "requests, and a limit of memory, are asked for by policy workloads-resources; a limit of CPU is not wanted: a throttled pod is slow " +
		"while the node is idle, and requests share a busy one",
	"container-ephemeral-storage-request-and-limit": "root file systems are read-only and volumes have a size limit; only logs grow, which the kubelet rotates",
	"container-image-pull-policy":                   "tags are versions and do not move; to pull again would make a registry a part of every start, and no image needs a pod's own credentials",
	"container-security-context-user-group-id":      "it asks for ids from 10000, images have users of their own; policy workloads-privileges refuses hostPath, so that a pod meets no file of a user of its node",
	"deployment-replicas":                           "how many pods are worth their price is said per environment, by a number that somebody wrote",
}

// Scored is what kube-score says of an object.
type Scored struct {
	Name   string `json:"object_name"` // Kind/apiVersion/namespace/name
	Checks []struct {
		Check struct {
			ID string `json:"id"`
		} `json:"check"`
		Grade    int  `json:"grade"`
		Skipped  bool `json:"skipped"`
		Comments []struct {
			Path, Summary, Description string
		} `json:"comments"`
	} `json:"checks"`
}

// fine is kube-score's grade of what is as it should be.
const fine = 10

// failed are the checks that the object fails, with what is said of them.
func (s Scored) failed() map[string]string {
	failed := map[string]string{}
	for _, c := range s.Checks {
		if c.Skipped || c.Grade >= fine {
			continue
		}
		var said []string
		for _, comment := range c.Comments {
			line := strings.TrimSuffix(cmp.Or(comment.Description, comment.Summary), ".")
			if comment.Path != "" {
				line = comment.Path + ": " + line
			}
			said = append(said, line)
		}
		failed[c.Check.ID] = strings.Join(slices.Compact(said), ". ")
	}
	return failed
}

// Scorer says what kube-score finds in documents, whatever their annotations accept.
type Scorer func(ctx context.Context, documents []byte) ([]Scored, error)

// KubeScore runs the program that tools/kube-score pins; the go command builds it once. As a library it does not compile with the
// Kubernetes of go.mod.
func KubeScore(root string) Scorer {
	return func(ctx context.Context, documents []byte) ([]Scored, error) {
		command := exec.CommandContext(ctx, "go", "-C", filepath.Join(root, "tools", "kube-score"), "tool", "kube-score", //nolint:gosec // the checkout's own path
			"score", "--output-format", "json", "--disable-ignore-checks-annotations", "-")
		command.Stdin = bytes.NewReader(documents)
		var complaint bytes.Buffer
		command.Stderr = &complaint
		content, ended := command.Output() // with 1 when it finds something
		var found []Scored
		if err := json.Unmarshal(content, &found); err != nil {
			return nil, fmt.Errorf("kube-score: %w: %s; `go -C tools/kube-score tool kube-score version` must run", errors.Join(ended, err), strings.TrimSpace(complaint.String()))
		}
		return found, nil
	}
}

// acceptance is a check that the annotation of an object accepts.
type acceptance struct{ object, check string }

// acceptances are those of all environments.
type acceptances map[acceptance]struct {
	file   string
	needed bool
}

func (all acceptances) note(a arrival, check string, needed bool) {
	key := acceptance{a.declared().String(), check}
	noted := all[key]
	noted.file, noted.needed = cmp.Or(noted.file, a.file()), noted.needed || needed
	all[key] = noted
}

// needless reports those that no finding needs.
func (all acceptances) needless() []Problem {
	var problems []Problem
	for a, noted := range all {
		if !noted.needed {
			problems = append(problems, Problem{
				File: noted.file, Object: a.object, Message: fmt.Sprintf("metadata.annotations.%s: no environment fails %s", acceptKey, a.check),
				Remedy: "remove it there, and the comment with its reason",
			})
		}
	}
	return problems
}

// score reports what kube-score finds in what arrives, and notes which acceptances a finding needs.
func (c *check) score(scorer Scorer, accepted acceptances) error {
	var documents bytes.Buffer
	arrived := map[string]arrival{}
	for _, a := range c.arrived {
		o := maps.Clone(a.object)
		metadata, _ := o["metadata"].(map[string]any)
		if metadata = maps.Clone(metadata); metadata == nil {
			metadata = map[string]any{}
		}
		metadata["namespace"] = a.in() // of a chart's object, too
		o["metadata"] = metadata
		content, err := json.Marshal(o)
		if err != nil {
			return err
		}
		documents.Write(append(content, "\n---\n"...))
		arrived[strings.Join([]string{o.kind(), o.apiVersion(), o.namespace(), o.name()}, "/")] = a
		for _, check := range a.accepts() {
			accepted.note(a, check, false)
		}
	}
	found, err := scorer(c.ctx, documents.Bytes())
	if err != nil {
		return err
	}
	for _, s := range found {
		a, failed := arrived[s.Name], s.failed()
		for _, check := range slices.Sorted(maps.Keys(failed)) {
			if unasked[check] != "" {
				continue
			}
			if slices.Contains(a.accepts(), check) {
				accepted.note(a, check, true)
				continue
			}
			c.scored(a, check, failed[check])
		}
	}
	return nil
}

// scored reports a finding.
func (c *check) scored(a arrival, check, said string) {
	remedy := "correct it"
	if a.release != nil {
		said, remedy = fmt.Sprintf("of the chart's %s: %s", a.object, said), "correct spec.values"
	}
	c.problems = append(c.problems, Problem{
		Environment: c.environment, File: a.file(), Object: a.declared().String(), Message: "kube-score's check " + check + ": " + said,
		Remedy: fmt.Sprintf("%s, or accept it with the annotation %s: %s and the reason in a comment", remedy, acceptKey, check),
	})
}

// declared is the object of the repository that what arrives comes from.
func (a arrival) declared() object {
	if a.release != nil {
		return a.release
	}
	return a.object
}

func (a arrival) file() string {
	o := a.declared()
	return cmp.Or(a.files[o.kind()+"/"+o.name()], a.path)
}

// accepts are the checks that the annotation names.
func (a arrival) accepts() []string {
	return strings.FieldsFunc(text(a.declared(), "metadata", "annotations", acceptKey), func(r rune) bool { return r == ',' || r == ' ' })
}

// Documents returns what kube-score finds in documents that are no files of this repository. file names them in problems.
func (s Scorer) Documents(ctx context.Context, documents map[string][]byte) ([]Problem, error) {
	c := &check{ctx: ctx}
	for _, file := range slices.Sorted(maps.Keys(documents)) {
		objects, err := ParseObjects(documents[file])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, o := range objects {
			c.arrived = append(c.arrived, arrival{object: o.Values, path: file})
		}
	}
	err := c.score(s, acceptances{})
	return unique(c.problems), err
}
