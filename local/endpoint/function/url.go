package function

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// URLs answers at the addresses of functions. It checks no rights: the endpoint listens on the loopback interface only.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
type URLs struct {
	// Stacks are the properties of the URLs in the stacks.
	Stacks func() []map[string]any
	Invoke func(ctx context.Context, arn string, event []byte) ([]byte, error)
	Log    *slog.Logger
}

func (u URLs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, resources.FunctionURLPath), "/")
	arn := u.target(name)
	if arn == "" {
		tell(w, http.StatusForbidden, `{"Message":"Forbidden"}`)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		tell(w, http.StatusRequestEntityTooLarge, `{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}`)
		return
	} else if err != nil {
		return // the client has gone
	}
	if err := u.call(w, r, arn, "/"+path, body); err != nil {
		u.Log.Warn("a function's URL", "function", name, "error", err)
		tell(w, http.StatusBadGateway, "Internal Server Error")
	}
}

// target is the function of a URL in the stacks.
func (u URLs) target(name string) string {
	for _, properties := range u.Stacks() {
		if arn, _ := properties["TargetFunctionArn"].(string); name != "" && strings.HasSuffix(arn, ":"+name) {
			return arn
		}
	}
	return ""
}

// call runs the function with the request as its event, and writes its answer.
func (u URLs) call(w http.ResponseWriter, r *http.Request, arn, path string, body []byte) error {
	event := events.LambdaFunctionURLRequest{Version: "2.0", RawPath: path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{"host": r.Host}, Body: string(body)}
	for name, values := range r.Header {
		event.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if !utf8.Valid(body) {
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	event.RequestContext.HTTP = events.LambdaFunctionURLRequestContextHTTPDescription{Method: r.Method, Path: path, Protocol: r.Proto}
	text, err := json.Marshal(event)
	if err != nil {
		return err
	}
	answer, err := u.Invoke(r.Context(), arn, text)
	if err != nil {
		return err
	}
	var response events.LambdaFunctionURLResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		return err
	}
	content := []byte(response.Body)
	if response.IsBase64Encoded {
		if content, err = base64.StdEncoding.DecodeString(response.Body); err != nil {
			return err
		}
	}
	for name, value := range response.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(content)
	return nil
}

func tell(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
