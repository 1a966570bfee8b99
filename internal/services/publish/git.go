package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// git runs git in dir and returns its output. Variables by which a hook points git elsewhere are removed; credentials are
// git's own affair (a credential helper, an ssh agent) unless the context has a token.
func git(ctx context.Context, dir string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin, cmd.Env = dir, stdin, signIn(ctx, environ())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if errors.Is(err, exec.ErrNotFound) {
			return "", errors.New("git is not on the PATH; install it")
		}
		return out.String(), &gitError{args[0], out.String(), errs.String(), err}
	}
	return out.String(), nil
}

// gitError keeps what git wrote, because only that tells one refusal from another.
type gitError struct {
	verb, out, errs string
	err             error
}

// Error is one line: git's own reason.
func (e *gitError) Error() string {
	for _, prefix := range []string{"fatal: ", "error: ", "remote: error: ", "remote: "} {
		for line := range strings.Lines(e.errs) {
			if reason, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok && reason != "" {
				return "git " + e.verb + ": " + redact(reason)
			}
		}
	}
	if text := strings.Join(strings.Fields(e.errs), " "); text != "" {
		return "git " + e.verb + ": " + redact(text)
	}
	return "git " + e.verb + ": " + e.err.Error()
}

func (e *gitError) Unwrap() error { return e.err }

func environ() []string {
	var kept []string
	for _, e := range os.Environ() {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
			"GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES", "LC_ALL":
		default:
			kept = append(kept, e)
		}
	}
	// Messages are compared, so they must be English; nobody answers a prompt in a pipeline.
	kept = append(kept, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	// A proxy in the environment is not for repositories on this machine.
	return append(kept, "NO_PROXY="+noProxy("NO_PROXY"), "no_proxy="+noProxy("no_proxy"))
}

func noProxy(name string) string {
	return strings.TrimPrefix(os.Getenv(name)+",127.0.0.1,localhost", ",")
}

// redact removes credentials from addresses in a text.
func redact(text string) string {
	words := strings.Fields(text)
	for i, word := range words {
		if strings.Contains(word, "://") {
			words[i] = WithoutCredentials(word)
		}
	}
	return strings.Join(words, " ")
}

// WithoutCredentials removes user and password from an address.
func WithoutCredentials(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	host, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 && scheme != "ssh" {
		rest = rest[at+1:]
	}
	if u, err := url.Parse(scheme + "://" + rest); err == nil {
		return u.String()
	}
	return fmt.Sprintf("%s://%s", scheme, rest)
}
