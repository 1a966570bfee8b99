// Package permissions proves the policies of the roles that pods have. The
// local AWS endpoint lets everybody do everything, so it notes which action each
// role asked for; held against the role's policy, as it was deployed, that says
// what AWS would have refused, and which rights nobody used.
//
// A statement's condition counts as met: it depends on values that are not in
// every request. Resources are compared where a request names them.
package permissions

import (
	"bytes"
	"cmp"
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
}

// Recorder notes calls. It keeps them in a file, since pods hold their
// credentials longer than the endpoint lives.
type Recorder struct {
	account account
	file    string

	mu    sync.Mutex
	kept  kept
	saved time.Time
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

// See notes what a request needs, if it is signed with a role's key. The
// request stays as it was.
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
	return r.note(role, r.account.needs(match[2], req, body))
}

func (r *Recorder) note(role string, needs []need) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := false
	for _, n := range needs {
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
