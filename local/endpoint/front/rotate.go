package front

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// Rotated is a secret, and the version that its rotation makes.
type Rotated struct {
	ARN       string `json:"ARN"`
	Name      string `json:"Name"`
	VersionID string `json:"VersionId"`
}

// Refuse is an error as Secrets Manager tells it.
func Refuse(message string) error {
	return fail(http.StatusBadRequest, "InvalidRequestException", "%s", message)
}

// rotates reports whether a request asks for a rotation, which moto does not run.
func (f *Front) rotates(r *http.Request) bool {
	return f.opt.Rotate != nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".RotateSecret")
}

// rotate begins the rotation of a secret. Functions and schedules are those of the stacks.
func (f *Front) rotate(w http.ResponseWriter, r *http.Request) {
	in, _, err := readJSON(r)
	if err == nil && (in["RotationLambdaARN"] != nil || in["RotationRules"] != nil || in["RotateImmediately"] == false) {
		err = Refuse("the local Secrets Manager takes function and schedule from AWS::SecretsManager::RotationSchedule alone")
	}
	if err != nil {
		writeFailure(w, err)
		return
	}
	id, _ := in["SecretId"].(string)
	token, _ := in["ClientRequestToken"].(string)
	out, err := f.opt.Rotate(r.Context(), id, token)
	var told smithy.APIError
	if errors.As(err, &told) {
		err = fail(http.StatusBadRequest, told.ErrorCode(), "%s", told.ErrorMessage())
	}
	if err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}
