// Package iam knows the actions of IAM: which there are, and which of them can be allowed for some resources alone.
package iam

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
)

// actions.json is written together with internal/awsdata/data.json; docs/design/20261129.aws-facts.md has the command.
//
//go:embed actions.json
var actions []byte

// Service has the actions of a service by their names, separated by blanks.
type Service struct {
	// Narrow are the actions that can be allowed for some resources.
	Narrow string `json:"narrow"`
	// Wide are those that can be allowed for all resources only.
	Wide string `json:"wide"`
}

var services = sync.OnceValue(func() map[string]Service {
	var all map[string]Service
	if err := json.Unmarshal(actions, &all); err != nil {
		panic("internal/services/iam/actions.json: " + err.Error()) //nolint:forbidigo // the file is compiled in; only its generator can break it
	}
	return all
})

// Prefixes are those of all services in the names of actions, sorted: s3.
func Prefixes() []string { return slices.Sorted(maps.Keys(services())) }

// Actions are those of the service with this prefix, without it; none if IAM has no such service.
func Actions(prefix string) []string {
	s := services()[prefix]
	return slices.Concat(strings.Fields(s.Narrow), strings.Fields(s.Wide))
}

// Find reports whether an action, or a beginning of names with * behind it, matches actions that can be allowed for some
// resources, and whether it matches such that can be allowed for all resources only. Neither: IAM has no such action, or got
// it after actions.json was written. Case does not matter, as in IAM.
func Find(action string) (narrow, wide bool) {
	prefix, pattern, _ := strings.Cut(action, ":")
	begin, open := strings.CutSuffix(pattern, "*")
	matches := func(name string) bool {
		if open && len(name) > len(begin) {
			name = name[:len(begin)]
		}
		return strings.EqualFold(name, begin)
	}
	s := services()[prefix]
	return slices.ContainsFunc(strings.Fields(s.Narrow), matches), slices.ContainsFunc(strings.Fields(s.Wide), matches)
}
