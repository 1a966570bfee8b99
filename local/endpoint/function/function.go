// Package function runs a function of Lambda as a process: the same program as on AWS, compiled for this machine, which asks
// the Lambda Runtime API for its event. A process serves one event, as a function that starts cold.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/internal/spawn"
)

const (
	// runtimeAPI begins the paths of the Runtime API.
	runtimeAPI = "/2018-06-01/runtime/"
	// defaultTimeout is Lambda's, in seconds.
	defaultTimeout = 3
	// largest is Lambda's limit for an event and an answer.
	largest = 6 << 20
)

// Runner runs functions.
type Runner struct {
	// Functions are the properties of those in the stacks.
	Functions func() []map[string]any
	// Program is the command line that the name of a handler is added to.
	Program []string
	// Env are variables for every function, beside its own: where the endpoint is, what stands in the place of Amazon's authorities.
	Env []string
	// Assume makes credentials of a function's role.
	Assume func(ctx context.Context, roleARN, session string) (front.Credentials, error)
	Region string
	Log    *slog.Logger
}

// definition is what the template says of a function.
type definition struct {
	FunctionName, Handler, Role string
	Timeout                     json.Number
	Environment                 struct{ Variables map[string]string }
}

// find returns the function of a name or an ARN.
func (r *Runner) find(arn string) (definition, error) {
	name := arn[strings.LastIndex(arn, ":")+1:]
	for _, properties := range r.Functions() {
		if properties["FunctionName"] != name {
			continue
		}
		var d definition
		text, err := json.Marshal(properties)
		if err == nil {
			err = json.Unmarshal(text, &d)
		}
		return d, err
	}
	return definition{}, fmt.Errorf("function not found: %s", arn)
}

// Invoke runs a function with an event and returns its answer, or its error.
func (r *Runner) Invoke(ctx context.Context, arn string, event []byte) ([]byte, error) {
	d, err := r.find(arn)
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.Atoi(d.Timeout.String())
	if err != nil {
		seconds = defaultTimeout
	}
	limit := time.Duration(seconds) * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("function %s: timed out after %s", d.FunctionName, limit))
	defer cancel()
	credentials, err := r.Assume(ctx, d.Role, d.FunctionName)
	if err != nil {
		return nil, fmt.Errorf("function %s: its role: %w", d.FunctionName, err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	call := &invocation{event: event, arn: arn, until: time.Now().Add(limit), done: make(chan struct{})}
	server := &http.Server{Handler: call.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	return r.run(ctx, d, call, listener.Addr().String(), credentials)
}

// run starts the program and waits for its answer, its end, or the function's time.
func (r *Runner) run(ctx context.Context, d definition, call *invocation, api string, c front.Credentials) ([]byte, error) {
	command := exec.Command(r.Program[0], slices.Concat(r.Program[1:], []string{d.Handler})...)
	// Nothing of this process' own environment, as on AWS.
	command.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_LAMBDA_FUNCTION_NAME=" + d.FunctionName, "_HANDLER=" + d.Handler, "AWS_REGION=" + r.Region,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.Token,
	}, r.Env...)
	for name, value := range d.Environment.Variables {
		command.Env = append(command.Env, name+"="+value)
	}
	output := &lines{r.Log, d.FunctionName}
	command.Stdout, command.Stderr = output, output
	if err := spawn.Start(command); err != nil {
		return nil, fmt.Errorf("function %s: %w", d.FunctionName, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	defer func() { _ = command.Process.Kill() }()
	select {
	case <-call.done:
		return call.answer, call.err
	case err := <-ended:
		return nil, fmt.Errorf("function %s: its process ended without an answer: %w", d.FunctionName, errors.Join(err, call.err))
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// invocation is one event at the Runtime API.
type invocation struct {
	event []byte
	arn   string
	until time.Time

	done   chan struct{} // closed after answer or err is set
	answer []byte
	err    error
}

const requestID = "00000000-0000-4000-8000-000000000001" // of the one event of a process

func (i *invocation) routes() http.Handler {
	given := make(chan struct{}, 1)
	given <- struct{}{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimeAPI+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-given:
		case <-r.Context().Done(): // there is no second event
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", requestID)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.until.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", i.arn)
		_, _ = w.Write(i.event)
	})
	mux.HandleFunc("POST "+runtimeAPI+"invocation/"+requestID+"/response", func(w http.ResponseWriter, r *http.Request) { i.end(w, r, false) })
	mux.HandleFunc("POST "+runtimeAPI+"invocation/"+requestID+"/error", func(w http.ResponseWriter, r *http.Request) { i.end(w, r, true) })
	mux.HandleFunc("POST "+runtimeAPI+"init/error", func(w http.ResponseWriter, r *http.Request) { i.end(w, r, true) })
	return mux
}

// end keeps the answer, which the program sends once.
func (i *invocation) end(w http.ResponseWriter, r *http.Request, failed bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, largest))
	switch {
	case err != nil:
		i.err = err
	case failed:
		var told struct{ ErrorMessage string }
		if json.Unmarshal(body, &told) != nil || told.ErrorMessage == "" {
			told.ErrorMessage = string(body)
		}
		i.err = errors.New(told.ErrorMessage)
	default:
		i.answer = body
	}
	w.WriteHeader(http.StatusAccepted)
	close(i.done)
}

// lines writes what a function logs into the endpoint's log.
type lines struct {
	log  *slog.Logger
	name string
}

func (l *lines) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		l.log.Info("function", "name", l.name, "line", strings.TrimSpace(line))
	}
	return len(text), nil
}
