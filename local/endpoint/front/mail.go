package front

import (
	"encoding/json"
	"io"
	"net/http"

	"k8s-plus-aws-gitops/local/endpoint/mailbox"
)

// mail lets moto decide whether SES takes a message, as from an unknown sender, and keeps what it took.
func (f *Front) mail(w http.ResponseWriter, r *http.Request) {
	var message struct {
		Content struct{ Raw struct{ Data []byte } }
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 40<<20)) // SES takes 40 MB
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	if err != nil {
		writeFailure(w, fail(http.StatusBadRequest, "BadRequestException", "the request cannot be read: %v", err))
		return
	}
	if len(message.Content.Raw.Data) == 0 {
		writeFailure(w, fail(http.StatusBadRequest, "BadRequestException", "the local SES takes raw messages only"))
		return
	}
	answer, ok := f.ask(w, r, body)
	if !ok {
		return
	}
	if err := mailbox.Keep(f.opt.Mail, message.Content.Raw.Data); err != nil {
		writeFailure(w, err)
		return
	}
	_, _ = w.Write(answer)
}
