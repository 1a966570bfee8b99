package engine

import (
	"fmt"
	"net/http"
)

// Error is an error of the CloudFormation API: Code and Message travel in the
// response, Status is the HTTP status.
type Error struct {
	Code, Message string
	Status        int
}

func (e *Error) Error() string { return e.Message }

// invalid is a ValidationError, the service's answer to most bad input.
func invalid(format string, a ...any) *Error {
	return &Error{Code: "ValidationError", Message: fmt.Sprintf(format, a...), Status: http.StatusBadRequest}
}

func apiError(status int, code, format string, a ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, a...), Status: status}
}
