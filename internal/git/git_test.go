package git

import (
	"slices"
	"strings"
	"testing"
)

func TestWithoutCredentials(t *testing.T) {
	for in, want := range map[string]string{
		"https://a:b@host/x.git": "https://host/x.git", "ssh://git@host/x": "ssh://git@host/x", "/path": "/path", "http://h/x@y": "http://h/x@y",
	} {
		if got := WithoutCredentials(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// A token goes to its own host, by HTTPS, and is in no argument.
func TestTokenStaysWhereItBelongs(t *testing.T) {
	for _, address := range []string{"http://git.localhost/manifests.git", "ssh://git@example.com/m.git", "git@example.com:m.git", "/srv/m.git", "https://%zz"} {
		if ctx := WithToken(t.Context(), address, "x"); ctx != t.Context() {
			t.Errorf("%s gets the token", address)
		}
	}
	if ctx := WithToken(t.Context(), "https://example.com/m.git", ""); ctx != t.Context() {
		t.Error("an empty token")
	}
	t.Setenv("GIT_CONFIG_COUNT", "2")
	env := signIn(WithToken(t.Context(), "https://example.com/m.git", "x-token"), Environ())
	for _, want := range []string{"GIT_CONFIG_COUNT=4", "GIT_CONFIG_KEY_2=credential.https://example.com.helper", "GIT_CONFIG_VALUE_2=", "GIT_CONFIG_VALUE_3=" + helper, tokenVariable + "=x-token"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s", want)
		}
	}
	if slices.Contains(env, "GIT_CONFIG_COUNT=2") || strings.Contains(helper, "x-token") {
		t.Error("the count is there twice, or the token in an argument")
	}
}
