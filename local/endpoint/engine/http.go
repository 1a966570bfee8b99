package engine

import (
	"context"
	"encoding/xml"
	"net/http"
	"strings"
	"time"
)

const namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"

// action answers one API action with a value that encodes to the result's
// XML; nil is an empty result.
type action func(ctx context.Context, f form) (any, error)

func (e *Engine) actions() map[string]action {
	return map[string]action{
		"CreateChangeSet": e.createChangeSet, "DescribeChangeSet": e.describeChangeSet,
		"ExecuteChangeSet": e.executeChangeSet, "DeleteChangeSet": e.deleteChangeSet, "ListChangeSets": e.listChangeSets,
		"CreateStack": e.createStack, "UpdateStack": e.updateStack, "DeleteStack": e.deleteStackAction,
		"RollbackStack": e.rollbackStack, "ContinueUpdateRollback": e.continueUpdateRollback,
		"UpdateTerminationProtection": e.updateTerminationProtection,
		"DescribeStacks":              e.describeStacks, "ListStacks": e.listStacks,
		"DescribeStackEvents": e.describeStackEvents, "DescribeEvents": e.describeEvents,
		"DescribeStackResources": e.describeStackResources, "DescribeStackResource": e.describeStackResource,
		"ListStackResources": e.listStackResources,
		"GetTemplate":        e.getTemplate, "GetTemplateSummary": e.getTemplateSummary, "ValidateTemplate": e.getTemplateSummary,
		"ListExports": e.listExports, "ListImports": e.listImports,
	}
}

// ServeHTTP answers the CloudFormation API in the query protocol.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		writeError(w, invalid("the request cannot be read: %v", err))
		return
	}
	f := form(r.Form)
	name := f.get("Action")
	act, ok := e.actions()[name]
	if !ok {
		writeError(w, apiError(http.StatusBadRequest, "InvalidAction", "The action %s is not supported by the local CloudFormation stand-in", name))
		return
	}
	start := time.Now()
	if name == "DescribeStacks" && strings.Contains(r.UserAgent(), cdkAgent) {
		e.settle(r.Context(), f.get("StackName"))
	}
	result, err := act(r.Context(), f)
	e.opt.Log.Debug("cloudformation", "action", name, "stack", f.get("StackName"), "took", time.Since(start), "error", err)
	if err != nil {
		writeError(w, asError(err))
		return
	}
	writeResult(w, name, result)
}

// The CDK CLI asks every 5 s how a stack is, and a stack is made in one or two here. Its answer waits for the stack, less
// long than the CLI waits between two questions, and so well below its time limits.
const (
	cdkAgent   = "aws-cdk/"
	longestAsk = 4 * time.Second
)

// settle returns when no operation runs on the stack, or at the latest after longestAsk.
func (e *Engine) settle(ctx context.Context, nameOrID string) {
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	for e.operating(nameOrID) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (e *Engine) operating(nameOrID string) bool {
	defer e.lock()()
	st, ok := e.find(nameOrID)
	return ok && st.Status.running()
}

func writeResult(w http.ResponseWriter, action string, result any) {
	w.Header().Set("Content-Type", "text/xml")
	enc := xml.NewEncoder(w)
	response := xml.StartElement{Name: xml.Name{Local: action + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespace}}}
	inner := xml.StartElement{Name: xml.Name{Local: action + "Result"}}
	// The writer fails only when the client has gone.
	_ = enc.EncodeToken(response)
	if result == nil {
		_ = enc.EncodeToken(inner)
		_ = enc.EncodeToken(inner.End())
	} else {
		_ = enc.EncodeElement(result, inner)
	}
	_ = enc.EncodeElement(struct{ RequestId string }{newUUID()}, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}) //nolint:revive // the protocol's spelling
	_ = enc.EncodeToken(response.End())
	_ = enc.Flush()
}

func writeError(w http.ResponseWriter, err *Error) {
	kind := "Sender"
	if err.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(err.Status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName   xml.Name `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}{Type: kind, Code: err.Code, Message: err.Message, RequestID: newUUID()})
}
