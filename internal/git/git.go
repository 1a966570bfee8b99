// Package git runs the git program as a part of a command: without questions, with errors of one line, and with a token where one is given.
package git

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

// Run runs git in dir and returns its output. Variables by which a hook points git elsewhere are removed; credentials are
// git's own affair (a credential helper, an ssh agent) unless the context has a token.
func Run(ctx context.Context, dir string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin, cmd.Env = dir, stdin, signIn(ctx, Environ())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if errors.Is(err, exec.ErrNotFound) {
			return "", errors.New("git is not on the PATH; install it")
		}
		return out.String(), &Error{Out: out.String(), Errs: errs.String(), verb: args[0], err: err}
	}
	return out.String(), nil
}

// Commit returns the commit that a revision names, in full. Its error says that the clone has none.
func Commit(ctx context.Context, dir, revision string) (string, error) {
	out, err := Run(ctx, dir, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("there is no revision %q; fetch it, or name another", revision)
	}
	return strings.TrimSpace(out), nil
}

// Error keeps what git wrote, because only that tells one refusal from another.
type Error struct {
	// Out and Errs are git's output and what it said beside it.
	Out, Errs string

	verb string
	err  error
}

// Error returns one line: git's own reason.
func (e *Error) Error() string {
	for _, prefix := range []string{"fatal: ", "error: ", "remote: error: ", "remote: "} {
		for line := range strings.Lines(e.Errs) {
			if reason, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok && reason != "" {
				return "git " + e.verb + ": " + redact(reason)
			}
		}
	}
	if text := strings.Join(strings.Fields(e.Errs), " "); text != "" {
		return "git " + e.verb + ": " + redact(text)
	}
	return "git " + e.verb + ": " + e.err.Error()
}

func (e *Error) Unwrap() error { return e.err }

// silence is after how many seconds a host that says nothing is given up.
const silence = "30"

// Environ is the environment of a git process: without the variables by which a hook points git elsewhere.
func Environ() []string {
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
	// A host that takes the connection and says nothing must not hold a command, or a build, for ever. While it works on a push
	// it says so every 5 s: https://git-scm.com/docs/git-config, receive.keepAlive, http.lowSpeedLimit.
	if os.Getenv("GIT_HTTP_LOW_SPEED_LIMIT") == "" && os.Getenv("GIT_HTTP_LOW_SPEED_TIME") == "" {
		kept = append(kept, "GIT_HTTP_LOW_SPEED_LIMIT=1", "GIT_HTTP_LOW_SPEED_TIME="+silence)
	}
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
