package doctor

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// denials are the codes by which AWS's services refuse a right.
var denials = []string{"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "UnauthorizedException", "NotAuthorized"}

// refused is the action in the message of a refusal.
var refused = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)`)

// unread says why nothing is known: the right that is missing, or what went wrong, in one line.
func unread(err error) Line {
	if errors.Is(err, context.DeadlineExceeded) {
		return unknown("no answer within %s", patience)
	}
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	switch known := errors.As(err, &api) && api.ErrorCode() != "UnknownError"; {
	case !known && errors.As(err, &response):
		return unknown("%s: the endpoint answers with status %d", action(err), response.HTTPStatusCode())
	case !known:
		return unknown("%s", line(err.Error()))
	}
	if !slices.Contains(denials, api.ErrorCode()) {
		return unknown("%s", strings.TrimSuffix(line(action(err)+": "+api.ErrorCode()+": "+api.ErrorMessage()), ": "))
	}
	if said := refused.FindStringSubmatch(api.ErrorMessage()); said != nil {
		return unknown("it needs the right %s", said[1])
	}
	return unknown("it needs the right %s", action(err))
}

// action is the name of what was asked, as IAM writes it.
func action(err error) string {
	var operation *smithy.OperationError
	if !errors.As(err, &operation) {
		return "AWS"
	}
	return strings.ToLower(strings.ReplaceAll(operation.ServiceID, " ", "")) + ":" + operation.OperationName
}

// code is the code of AWS's error; empty if it is none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// line is a text in one line.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
