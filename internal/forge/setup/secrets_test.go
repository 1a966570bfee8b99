package setup

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
)

// account answers as STS and Secrets Manager of account 111111111111 do.
func account(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "" {
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			return
		}
		body := make([]byte, r.ContentLength)
		r.Body.Read(body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch {
		case strings.Contains(string(body), "/dev/there"):
			fmt.Fprint(w, `{"SecretString": "value"}`)
		case strings.Contains(string(body), "/dev/forbidden"):
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "AccessDeniedException", "message": "no"}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "ResourceNotFoundException", "message": "no"}`)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
}

func TestAccount(t *testing.T) {
	for name, c := range map[string]struct {
		account, secret, want, unreadable string
		without                           bool // credentials
	}{
		"there":          {account: "111111111111", secret: "/dev/there", want: "value"},
		"absent":         {account: "111111111111", secret: "/dev/absent"},
		"forbidden":      {account: "111111111111", secret: "/dev/forbidden", unreadable: "grant secretsmanager:GetSecretValue"},
		"elsewhere":      {account: "222222222222", secret: "/dev/there", unreadable: "is in account 222222222222 and the credentials are of 111111111111"},
		"no credentials": {account: "111111111111", secret: "/dev/there", unreadable: "without credentials of account 111111111111", without: true},
	} {
		t.Run(name, func(t *testing.T) {
			account(t)
			if c.without {
				t.Setenv("AWS_ACCESS_KEY_ID", "")
				t.Setenv("AWS_SECRET_ACCESS_KEY", "")
				t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
				t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			}
			a := &Account{}
			for range 2 { // the second time the account is known
				got, err := a.Secret(t.Context(), config.Environment{Account: c.account, Region: "eu-west-1"}, c.secret)
				var unreadable UnreadableError
				if got != c.want || errors.As(err, &unreadable) != (c.unreadable != "") || err != nil && !strings.Contains(err.Error(), c.unreadable) {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
}
