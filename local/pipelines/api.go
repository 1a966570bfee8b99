package pipelines

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// API answers the part of CodePipeline's API that is about executions, from what the runner has recorded. Of definitions
// another service knows. Of what changes executions it knows their start and their stop: for the rest there is `gitops local approve`.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/
type API struct {
	// Root is where the executions are; see Folder.
	Root string
	// Definitions are the evaluated properties of the pipelines in the stacks.
	Definitions func() []map[string]any
}

// question is a request: the operations name alike what they have in common.
type question struct {
	Name                string
	PipelineName        string
	PipelineExecutionID string
	MaxResults          *int
	NextToken           string
	Filter              struct {
		PipelineExecutionID       string
		LatestInPipelineExecution struct{ PipelineExecutionID string }
		SucceededInStage          struct{ StageName string }
	}
	Abandon bool
	Reason  string
	// root is where the executions are.
	root string
}

// answer builds the output of an operation, from a pipeline and its executions, the newest first.
type answer func(q question, p *Pipeline, all []*Execution) (object, error)

var answers = map[string]answer{
	"GetPipelineExecution": getExecution, "ListPipelineExecutions": listExecutions,
	"ListActionExecutions": listActions, "GetPipelineState": getState, "ListRuleExecutions": listRules, "StopPipelineExecution": stopExecution, "StartPipelineExecution": startExecution,
}

// target is what the header X-Amz-Target begins with.
const target = "CodePipeline_20150709."

// Serve answers a request. It returns false for an operation that is another service's.
func (a API) Serve(w http.ResponseWriter, r *http.Request) bool {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	handle := answers[operation]
	if !ok || handle == nil {
		return false
	}
	status := http.StatusOK
	out, err := a.answer(r, handle)
	if err != nil {
		status, out = failed(err)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"__type":"InternalFailure","message":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
	return true
}

func (a API) answer(r *http.Request, handle answer) (object, error) {
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&q); err != nil {
		return nil, refuse("SerializationException", "the request cannot be read: %v", err)
	}
	name := cmp.Or(q.PipelineName, q.Name)
	if name == "" {
		return nil, refuse("ValidationException", "the name of the pipeline must have at least 1 character")
	}
	p, err := a.pipeline(name)
	if err != nil {
		return nil, err
	}
	all, err := List(a.Root)
	if err != nil {
		return nil, err
	}
	q.root = a.Root
	return handle(q, p, Of(all, []string{name}, -1))
}

// pipeline is the definition as it is deployed now.
func (a API) pipeline(name string) (*Pipeline, error) {
	for _, properties := range a.Definitions() {
		if properties["Name"] != name {
			continue
		}
		raw, err := json.Marshal(properties)
		if err != nil {
			return nil, err
		}
		p := &Pipeline{}
		return p, json.Unmarshal(raw, p)
	}
	return nil, refuse("PipelineNotFoundException", "Account does not have a pipeline with name '%s'", name)
}

// refused is an error of the API: who asked can do something about it.
type refused struct{ code, message string }

func (e *refused) Error() string { return e.message }

func refuse(code, format string, args ...any) error {
	return &refused{code, fmt.Sprintf(format, args...)}
}

func failed(err error) (int, object) {
	var known *refused
	if errors.As(err, &known) {
		return http.StatusBadRequest, object{"__type": known.code, "message": known.message}
	}
	return http.StatusInternalServerError, object{"__type": "InternalFailure", "message": err.Error()}
}

// mostResults is CodePipeline's limit for a page, and what it takes without one.
const mostResults = 100

// page cuts out what was asked for. The token is the id of the last item shown, so that new items do not move the pages.
func page[T any](q question, all []T, id func(T) string) (part []T, token string, err error) {
	most := mostResults
	if q.MaxResults != nil {
		most = *q.MaxResults
	}
	if most < 1 || most > mostResults {
		return nil, "", refuse("ValidationException", "maxResults must be 1 to %d, got %d", mostResults, most)
	}
	if q.NextToken != "" {
		i := slices.IndexFunc(all, func(x T) bool { return id(x) == q.NextToken })
		if i < 0 {
			return nil, "", refuse("InvalidNextTokenException", "the token %q is not one of this list: begin without one", q.NextToken)
		}
		all = all[i+1:]
	}
	if len(all) > most {
		all = all[:most]
		token = id(all[most-1])
	}
	return all, token, nil
}

// object is a structure of the API.
type object map[string]any

// with adds a member unless it is empty: the API leaves such out.
func (o object) with(key string, value any) object {
	switch v := value.(type) {
	case string:
		if v == "" {
			return o
		}
	case time.Time:
		if v.IsZero() {
			return o
		}
		value = float64(v.UnixMilli()) / 1000 // the protocol's way: seconds
	case map[string]string:
		if len(v) == 0 {
			return o
		}
	case object:
		if len(v) == 0 {
			return o
		}
	}
	o[key] = value
	return o
}
