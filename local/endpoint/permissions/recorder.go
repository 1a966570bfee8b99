// Package permissions holds pods to the policies of their roles, as they were
// deployed: what no policy allows is refused. It also notes which action each
// role asked for, which says which rights nobody used. Everybody else may do
// everything.
//
// A statement's condition counts as met: it depends on values that are not in
// every request. Resources are compared where a request names them.
package permissions

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// Call is what a role asked for.
type Call struct {
	Role   string `json:"role"` // ARN
	Action string `json:"action"`
	// Resource is an ARN, or empty where the request names none.
	Resource string `json:"resource,omitempty"`
	Count    int    `json:"count"`
	// Denied is how many of them were refused.
	Denied int `json:"denied,omitempty"`
}

// Recorder notes calls. It keeps them in a file, since pods hold their
// credentials longer than the endpoint lives.
type Recorder struct {
	// Policies are those of a role; nil: nothing is refused.
	Policies func(ctx context.Context, role string) ([]Policy, error)

	account account
	file    string

	mu    sync.Mutex
	kept  kept
	saved time.Time
	read  map[string]policies // by role
}

// policies are those that a role had at a time.
type policies struct {
	all []Policy
	at  time.Time
}

// stale is when a role's policies are read again. IAM's changes take seconds, too.
const stale = 2 * time.Second

// Denial is what a role may not do.
type Denial struct{ Role, Action, Resource string }

// Error is in IAM's words.
func (d *Denial) Error() string {
	return "User: " + d.Role + " is not authorized to perform: " + d.Action + " on resource: " + cmp.Or(d.Resource, "*") +
		" because no identity-based policy allows the " + d.Action + " action"
}

// kept is the content of the file. The keys are the ids of access keys, which
// are no secrets.
type kept struct {
	Keys  map[string]string `json:"keys"` // role by access key
	Calls []*Call           `json:"calls"`
}

// resave is how long counts alone are kept in memory.
const resave = 10 * time.Second

// largest is the largest body that is read for its action. Bodies of objects
// are not read.
const largest = 1 << 20

// NewRecorder reads what was noted before.
func NewRecorder(file, accountID, region string) (*Recorder, error) {
	r := &Recorder{account: account{accountID, region}, file: file}
	if err := atomicfile.ReadJSON(file, &r.kept); err != nil {
		return nil, err
	}
	if r.kept.Keys == nil {
		r.kept.Keys = map[string]string{}
	}
	return r, nil
}

// Issued notes to which role an access key belongs.
func (r *Recorder) Issued(accessKey, role string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept.Keys[accessKey] = role
	return r.save()
}

// scope is in the signature of a request: access key, date, region, service.
var scope = regexp.MustCompile(`(?:^|Credential=)([A-Za-z0-9]+)/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request`)

// See notes what a request needs, if it is signed with a role's key, and returns
// a *Denial when its policies do not allow it. The request stays as it was.
func (r *Recorder) See(req *http.Request) error {
	signature := cmp.Or(req.Header.Get("Authorization"), req.URL.Query().Get("X-Amz-Credential"))
	match := scope.FindStringSubmatch(signature)
	if match == nil {
		return nil
	}
	r.mu.Lock()
	role := r.kept.Keys[match[1]]
	r.mu.Unlock()
	if role == "" {
		return nil
	}
	var body []byte
	if match[2] != "s3" && req.ContentLength > 0 && req.ContentLength <= largest {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	needs := r.account.needs(match[2], req, body)
	if err := r.note(role, needs); err != nil {
		return err
	}
	return r.judge(req.Context(), role, needs)
}

// judge refuses what the policies of a role do not allow.
func (r *Recorder) judge(ctx context.Context, role string, needs []need) error {
	if r.Policies == nil || len(needs) == 0 {
		return nil
	}
	r.mu.Lock()
	had := r.read[role]
	r.mu.Unlock()
	if time.Since(had.at) > stale {
		all, err := r.Policies(ctx, role)
		if err != nil {
			return err
		}
		had = policies{all, time.Now()}
		r.mu.Lock()
		if r.read == nil {
			r.read = map[string]policies{}
		}
		r.read[role] = had
		r.mu.Unlock()
	}
	for _, n := range needs {
		if !allows(had.all, Call{Action: n.Action, Resource: n.Resource}) {
			if err := r.denied(role, n.noted()); err != nil {
				return err
			}
			return &Denial{role, n.Action, n.Resource}
		}
	}
	return nil
}

// denied counts a refusal of what was noted.
func (r *Recorder) denied(role string, n need) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.kept.Calls {
		if c.Role == role && c.Action == n.Action && c.Resource == n.Resource {
			c.Denied++
		}
	}
	return r.save()
}

func (r *Recorder) note(role string, needs []need) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := false
	for _, n := range needs {
		n = n.noted()
		i := slices.IndexFunc(r.kept.Calls, func(c *Call) bool {
			return c.Role == role && c.Action == n.Action && c.Resource == n.Resource
		})
		if i < 0 {
			i, fresh = len(r.kept.Calls), true
			r.kept.Calls = append(r.kept.Calls, &Call{Role: role, Action: n.Action, Resource: n.Resource})
		}
		r.kept.Calls[i].Count++
	}
	if fresh || time.Since(r.saved) > resave {
		return r.save()
	}
	return nil
}

// save replaces the file; the caller holds the lock.
func (r *Recorder) save() error {
	r.saved = time.Now()
	return atomicfile.WriteJSON(r.file, r.kept)
}

// Calls lists what was noted, by role, action and resource.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Call, len(r.kept.Calls))
	for i, c := range r.kept.Calls {
		all[i] = *c
	}
	slices.SortFunc(all, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Resource, b.Resource))
	})
	return all
}
