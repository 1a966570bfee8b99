package endpoint

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestAuthenticate(t *testing.T) {
	var asked string
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:sts::000000000000:assumed-role/local-verify/build</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	defer sts.Close()
	token := func(query string) string {
		return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte("https://sts.example.com/?"+query))
	}
	const good = "Action=GetCallerIdentity&X-Amz-Credential=ASIAKEY%2F20261129%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
	entry := map[string]any{"PrincipalArn": "arn:aws:iam::000000000000:role/local-verify", "KubernetesGroups": []any{"gitops:verify"}}
	for name, c := range map[string]struct {
		token   string
		entries []map[string]any
		err     string
	}{
		"a role with an entry":    {token(good), []map[string]any{entry}, ""},
		"without an entry":        {token(good), nil, "has no access entry"},
		"another role's entry":    {token(good), []map[string]any{{"PrincipalArn": "arn:aws:iam::000000000000:role/not-local-verify"}}, "has no access entry"},
		"of another cluster":      {token(strings.ReplaceAll(good, "%3Bx-k8s-aws-id", "")), []map[string]any{entry}, "signed headers"},
		"another question":        {token(strings.ReplaceAll(good, "GetCallerIdentity", "GetUser")), []map[string]any{entry}, "signed GetCallerIdentity"},
		"a ServiceAccount's":      {"eyJhbGciOi", []map[string]any{entry}, "not one of EKS"},
		"nothing behind the name": {"k8s-aws-v1.", []map[string]any{entry}, "signed GetCallerIdentity"},
	} {
		t.Run(name, func(t *testing.T) {
			a := authenticator{awsConfig(sts.URL, "eu-west-1"), func(string) []map[string]any { return c.entries }}
			user, groups, err := a.authenticate(t.Context(), c.token)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || groups != nil {
					t.Errorf("got %q, %q, %v", user, groups, err)
				}
				return
			}
			if err != nil || !slices.Equal(groups, []string{"gitops:verify"}) || !strings.HasSuffix(user, "assumed-role/local-verify/build") {
				t.Errorf("got %q, %q, %v", user, groups, err)
			}
			if !strings.Contains(asked, "Credential=ASIAKEY/") {
				t.Errorf("asked as %s", asked)
			}
		})
	}
}
