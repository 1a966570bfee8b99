// Package cause says in one line why something could not be read of AWS or of a cluster, with what to do about it.
package cause

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/smithy-go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Of is the cause of an error. guide is the file that lists the rights.
func Of(err error, guide string) string {
	var api smithy.APIError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the time was over; give more with --timeout"
	case apierrors.IsForbidden(err):
		return OneLine(err.Error()) + "; ask for the right, or for another access entry"
	case !errors.As(err, &api):
		return OneLine(err.Error())
	}
	switch code := api.ErrorCode(); code {
	case "InvalidAction", "UnknownOperationException", "NotImplemented", "UnsupportedOperation":
		return "this endpoint does not tell: " + OneLine(api.ErrorMessage())
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation":
		return action(err) + " is not allowed; " + guide + " lists the rights"
	default:
		return OneLine(code + ": " + api.ErrorMessage())
	}
}

// action is the name of the call that failed, as policies have it.
func action(err error) string {
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return "the call"
	}
	return strings.ToLower(strings.ReplaceAll(call.ServiceID, " ", "")) + ":" + call.OperationName
}

// OneLine joins the lines of a text.
func OneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
