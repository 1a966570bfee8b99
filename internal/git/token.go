package git

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// tokenVariable hands the token to the credential helper: an environment is read by its own user only, while arguments,
// and with them an address or a header, are read by everybody on the machine.
const tokenVariable = "GITOPS_MANIFESTS_TOKEN"

// helper answers git's question for credentials. GitHub takes any user name with a token, GitLab and Bitbucket too.
const helper = `!f() { test "$1" = get && printf 'username=x-access-token\npassword=%s\n' "$` + tokenVariable + `"; }; f`

// credentials are what a context carries.
type credentials struct{ scope, token string }

type credentialsKey struct{}

// WithToken returns a context in which git signs in with a token where it is asked to, at the host of the address and
// nowhere else. Only HTTPS asks: ssh has keys, and without encryption a token would be everybody's.
func WithToken(ctx context.Context, address, token string) context.Context {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || token == "" {
		return ctx
	}
	return context.WithValue(ctx, credentialsKey{}, credentials{"https://" + u.Host, token})
}

// signIn adds the context's token to the environment of a git process, as configuration of this process alone. An empty
// helper first forgets those that the machine has: CodeBuild's answers for the same host, with rights to the source only.
func signIn(ctx context.Context, env []string) []string {
	c, given := ctx.Value(credentialsKey{}).(credentials)
	if !given {
		return env
	}
	have, _ := strconv.Atoi(os.Getenv("GIT_CONFIG_COUNT"))
	env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, "GIT_CONFIG_COUNT=") })
	key := "credential." + c.scope + ".helper"
	for i, value := range []string{"", helper} {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", have+i, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", have+i, value))
	}
	return append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", have+2), tokenVariable+"="+c.token)
}
