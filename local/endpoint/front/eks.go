package front

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// clusterAPI answers the EKS API that moto lacks: Pod Identity associations,
// and a cluster's description with what was asked for and the real API server's
// address. The rest goes to moto.
// https://docs.aws.amazon.com/eks/latest/APIReference/
type clusterAPI struct {
	front *Front
	file  string

	mu       sync.Mutex
	Clusters map[string]*cluster `json:"clusters"`
}

// cluster is what the front keeps of one cluster. The objects have the API's
// shape.
type cluster struct {
	// Given is what create and update requests said, laid over moto's answer.
	Given        object            `json:"given"`
	Associations map[string]object `json:"podIdentityAssociations"` // by ID
	Updates      map[string]object `json:"updates"`                 // by ID
}

func newEKS(f *Front) (*clusterAPI, error) {
	e := &clusterAPI{front: f, file: filepath.Join(f.opt.Dir, "eks.json"), Clusters: map[string]*cluster{}}
	if err := atomicfile.ReadJSON(e.file, e); err != nil {
		return nil, fmt.Errorf("EKS state: %w", err)
	}
	return e, nil
}

func newCluster() *cluster {
	return &cluster{
		Given: object{}, Associations: map[string]object{}, Updates: map[string]object{},
	}
}

// call is one request of the EKS API below /clusters/<name>/<kind>.
type call struct {
	method  string
	name    string // of the cluster
	key     string // the path's part after the kind
	in      object
	query   url.Values
	cluster *cluster
}

// serve returns false for a request that moto answers.
func (e *clusterAPI) serve(w http.ResponseWriter, r *http.Request) bool {
	parts := pathParts(r.URL)
	if len(parts) == 0 || parts[0] != "clusters" {
		return false
	}
	kinds := map[string]func(*call) (any, error){
		"pod-identity-associations": e.associations, "updates": e.updates, "update-config": e.updateConfig,
	}
	var handle func(*call) (any, error)
	switch {
	case len(parts) == 1 && r.Method == http.MethodPost, len(parts) == 2:
		e.serveCluster(w, r, parts[1:])
		return true
	case len(parts) > 2:
		handle = kinds[parts[2]]
	}
	if handle == nil {
		return false
	}
	out, err := e.answer(r, parts, handle)
	if err != nil {
		writeFailure(w, err)
		return true
	}
	writeJSON(w, http.StatusOK, out)
	return true
}

// pathParts splits an escaped path: ARNs in it hold escaped slashes.
func pathParts(u *url.URL) []string {
	var out []string
	for _, p := range strings.Split(strings.Trim(u.EscapedPath(), "/"), "/") {
		if s, err := url.PathUnescape(p); err == nil && s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (e *clusterAPI) answer(r *http.Request, parts []string, handle func(*call) (any, error)) (any, error) {
	in, _, err := readJSON(r)
	if err != nil {
		return nil, err
	}
	c := &call{method: r.Method, name: parts[1], in: in, query: r.URL.Query()}
	if len(parts) > 3 {
		c.key = parts[3]
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.cluster = e.Clusters[c.name]; c.cluster == nil {
		return nil, notFound("No cluster found for name: %s.", c.name)
	}
	out, err := handle(c)
	if err != nil || r.Method == http.MethodGet {
		return out, err
	}
	return out, e.save()
}

func (e *clusterAPI) save() error {
	if err := atomicfile.WriteJSON(e.file, e); err != nil {
		return fmt.Errorf("EKS state: %w", err)
	}
	return nil
}

func readJSON(r *http.Request) (object, []byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return nil, nil, invalidParameter("the request cannot be read: %v", err)
	}
	in := object{}
	if len(bytes.TrimSpace(raw)) == 0 {
		return in, raw, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return nil, nil, invalidParameter("the request is not JSON: %v", err)
	}
	return in, raw, nil
}

func (e *clusterAPI) arn(kind, rest string) string {
	return fmt.Sprintf("arn:aws:eks:%s:%s:%s/%s", e.front.opt.Region, e.front.opt.Account, kind, rest)
}

// epoch is the time as the REST JSON protocol writes it, in seconds.
func epoch() json.Number {
	return json.Number(fmt.Sprintf("%.3f", float64(time.Now().UnixMilli())/1000))
}

func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, it would end the process
	return hex.EncodeToString(b)
}

func (c *call) text(name string) string {
	s, _ := c.in[name].(string)
	return s
}

// pick copies the given fields of the request over defaults.
func (c *call) pick(into object, names ...string) object {
	for _, n := range names {
		if v, ok := c.in[n]; ok && v != nil {
			into[n] = v
		}
	}
	return into
}

func unsupported(c *call) error {
	return fail(http.StatusBadRequest, "InvalidRequestException", "%s on this path is not supported by the local EKS API", c.method)
}
