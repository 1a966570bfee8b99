package front

import (
	"encoding/base64"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/local/endpoint/mailbox"
)

// What moto takes is kept, what it refuses is not: an identity that no stack made sends nothing.
func TestMailIsKept(t *testing.T) {
	dir := t.TempDir()
	url := newFront(t, fakeMoto(t).URL, dir).URL + "/v2/email/outbound-emails"
	request := func(from, content string) string {
		return `{"FromEmailAddress":"` + from + `","Content":{` + content + `}}`
	}
	raw := `"Raw":{"Data":"` + base64.StdEncoding.EncodeToString([]byte("Subject: hello\r\nContent-Type: text/plain\r\n\r\nworld")) + `"}`
	for _, c := range []struct {
		body string
		want int
	}{
		{request("noreply@ghost.localhost", raw), http.StatusOK},
		{request("stranger@example.com", raw), http.StatusBadRequest},
		{request("noreply@ghost.localhost", `"Simple":{}`), http.StatusBadRequest},
		{"{", http.StatusBadRequest},
	} {
		if resp, answer := send(t, "POST", url, "ses", strings.NewReader(c.body)); resp.StatusCode != c.want {
			t.Errorf("%s is answered with %s: %s", c.body, resp.Status, answer)
		}
	}
	all, err := mailbox.Read(filepath.Join(dir, "mail"))
	if err != nil || len(all) != 1 || all[0].Subject != "hello" || all[0].Text != "world" {
		t.Errorf("kept: %+v, %v", all, err)
	}
}
