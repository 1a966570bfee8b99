package status

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/flux"
)

// Published is a service that a release has published: Verify waits until Flux has applied it.
type Published struct {
	Service string `json:"service"`
	// Commit of its branch in the manifests repository, or its first 12 digits.
	Commit string `json:"commit"`
}

// Service is where a published service is.
type Service struct {
	Published
	flux.Item
	// At is true when Flux has applied the commit.
	At bool `json:"at"`
}

// none stands for no services: CodePipeline does not say whether a variable may be empty.
const none = "none"

// publishedService is one of them in text.
var publishedService = regexp.MustCompile(`^([a-z0-9-]+)@([0-9a-f]{12,40})$`)

// FormatPublished writes services as name@commit, for the variable of a pipeline.
func FormatPublished(all []Published) string {
	if len(all) == 0 {
		return none
	}
	words := make([]string, len(all))
	for i, p := range all {
		words[i] = fmt.Sprintf("%s@%.12s", p.Service, p.Commit)
	}
	return strings.Join(words, " ")
}

// ParsePublished reads what FormatPublished writes.
func ParsePublished(text string) ([]Published, error) {
	var all []Published
	for _, word := range strings.Fields(text) {
		if word == none {
			continue
		}
		m := publishedService.FindStringSubmatch(word)
		if m == nil {
			return nil, fmt.Errorf("must be services and commits, for example npm@1f3a9c2d0b7e, or %s, got %q", none, word)
		}
		all = append(all, Published{Service: m[1], Commit: m[2]})
	}
	return all, nil
}

// retried is how long the failure of a service must last before it counts. Flux tries one again after a minute (retryInterval in
// internal/services/fleet), and the first try may come before the release that it needs: what registers a host, for one.
const retried = 2 * time.Minute

// services looks for the published services.
func (s Source) services(ctx context.Context, now *Status) error {
	if len(s.Published) == 0 {
		return nil
	}
	items, err := s.Cluster.Services(ctx)
	if err != nil {
		return fmt.Errorf("the cluster of %s: %w", s.Environment, err)
	}
	known := map[string]flux.Item{}
	for _, i := range items {
		known[i.Name] = i
	}
	for _, p := range s.Published {
		item, there := known[p.Service]
		item.Name = p.Service
		one := Service{Published: p, Item: item, At: p.in(item.Revision)}
		now.Services = append(now.Services, one)
		switch {
		case !there:
			now.worse(Applying, "service "+p.Service+" is not in the cluster yet")
		case item.Suspended || one.At && item.Ready == "True":
		case item.Failed() && p.in(item.Attempted):
			now.fails(fmt.Sprintf("service %s: %s: %s", p.Service, item.Reason, item.Message))
		default:
			now.worse(Applying, fmt.Sprintf("service %s is not at %.12s yet", p.Service, p.Commit))
		}
	}
	return nil
}

// in reports whether a revision of Flux is the published commit.
func (p Published) in(revision string) bool {
	return strings.HasPrefix(revision[strings.LastIndex(revision, ":")+1:], p.Commit)
}

// fails notes the failure of a service. That of the platform, which is said first, counts sooner.
func (s *Status) fails(cause string) {
	if s.State != Failed {
		s.patience = retried
	}
	s.worse(Failed, cause)
}
