package front

import (
	"encoding/xml"
	"io"
	"net/http"

	"k8s-plus-aws-gitops/local/endpoint/permissions"
)

// deny answers as the service does when IAM refuses a call: in JSON where the call was, else in XML, of which S3 has a form of
// its own. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func deny(w http.ResponseWriter, r *http.Request, service string, d *permissions.Denial) {
	if r.Header.Get("X-Amz-Target") != "" || service == "ses" {
		writeFailure(w, fail(http.StatusBadRequest, "AccessDeniedException", "%s", d.Error()))
		return
	}
	cause := struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: "AccessDenied", Message: d.Error()}
	var answer any = cause
	if service != "s3" {
		answer = struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   any
		}{Error: cause}
	}
	text, err := xml.Marshal(answer)
	if err != nil {
		writeFailure(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, xml.Header+string(text))
}
