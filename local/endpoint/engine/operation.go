package engine

import (
	"slices"
	"time"
)

// The phases of an operation. The phase and everything that it needs is saved
// before each step, so that a restart finds its place.
const (
	phaseForward         = "forward"          // create and update resources
	phaseCleanup         = "cleanup"          // delete what an update left over
	phaseRollback        = "rollback"         // put the old values back
	phaseRollbackCleanup = "rollback-cleanup" // delete what the failed update made
	phaseDelete          = "delete"
	phasePaused          = "paused" // failed with rollback disabled
)

// The kinds of operations.
const (
	kindCreate = "CREATE"
	kindUpdate = "UPDATE"
	kindDelete = "DELETE"
)

// Operation is what a stack is in the middle of.
type Operation struct {
	Kind    string    `json:"kind"`
	Phase   string    `json:"phase"`
	Token   string    `json:"token,omitempty"`
	Started time.Time `json:"started"`

	Previous Version              `json:"previous"`         // what a rollback returns to
	Before   map[string]*Resource `json:"before,omitempty"` // the resources then

	Garbage  []*Resource     `json:"garbage,omitempty"`  // to delete in the cleanup phase
	Debris   []*Resource     `json:"debris,omitempty"`   // half-made replacements, to delete in a rollback
	Retain   []string        `json:"retain,omitempty"`   // DeleteStack RetainResources
	Restored map[string]bool `json:"restored,omitempty"` // what a rollback has put back already
	Skip     map[string]bool `json:"skip,omitempty"`     // ContinueUpdateRollback ResourcesToSkip
	Force    bool            `json:"force,omitempty"`    // skip whatever fails

	OnFailure string `json:"onFailure,omitempty"` // ROLLBACK (default), DELETE, DO_NOTHING
	Cause     string `json:"cause,omitempty"`     // why it failed, for people
}

// dependentsFirst sorts resources so that each comes before what it depends
// on: the order of deletion. A cycle cannot occur in what was made.
func dependentsFirst(list []*Resource) []*Resource {
	graph, byID := map[string][]string{}, map[string][]*Resource{}
	for _, r := range list {
		graph[r.LogicalID] = append(graph[r.LogicalID], r.DependsOn...)
		byID[r.LogicalID] = append(byID[r.LogicalID], r)
	}
	order, err := sortGraph(graph)
	if err != nil {
		// Two versions of a template may depend in opposite directions.
		order = sortedKeys(graph)
	}
	var out []*Resource
	for i := len(order) - 1; i >= 0; i-- {
		out = append(out, byID[order[i]]...)
	}
	return out
}

func values(m map[string]*Resource) []*Resource {
	out := make([]*Resource, 0, len(m))
	for _, id := range sortedKeys(m) {
		out = append(out, m[id])
	}
	return out
}

// dependenciesFirst is the order of creation.
func dependenciesFirst(m map[string]*Resource) []*Resource {
	list := dependentsFirst(values(m))
	slices.Reverse(list)
	return list
}
