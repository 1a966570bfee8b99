package standin

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

// serve starts a program with variables.
func serve(t *testing.T, p Program, env map[string]string) string {
	t.Helper()
	h, err := p.handler(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url) //nolint:gosec,noctx // of this test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestAnswers(t *testing.T) {
	names := filepath.Join(t.TempDir(), "names.txt")
	if err := os.WriteFile(names, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	words := serve(t, Program{
		Texts:   map[string]string{"one": `"1"`, "two": "2"},
		Answers: map[string]string{"/words/{name}": `{{with need "TOKEN"}}{"text":{{json (text (path "name"))}}}{{end}}`},
	}, map[string]string{"TOKEN": "secret"})
	untold := serve(t, Program{Texts: map[string]string{"one": "1"}, Answers: map[string]string{"/words/{name}": `{{need "TOKEN"}}`}}, nil)
	book := Program{Answers: map[string]string{
		"/":            `{"title":{{json (or (env "TITLE") "book")}},"all":[{{range $i, $n := words (env "NAMES")}}{{if $i}},{{end}}{{template "word" $n}}{{end}}]}`,
		"/one/{name}/": `{{template "word" (path "name")}}`,
		"word":         `{"name":{{json .}},"text":{{json (get (print (env "WORDS") "/words/" .)).text}}}`,
	}}
	front := serve(t, book, map[string]string{"WORDS": words, "NAMES": names, "TITLE": "zoo"})
	broken := serve(t, book, map[string]string{"WORDS": untold, "NAMES": names})
	fileless := serve(t, book, map[string]string{"WORDS": words, "NAMES": names + ".gone"})
	for name, c := range map[string]struct {
		url  string
		code int
		says string
	}{
		"front page":           {front + "/", 200, `{"title":"zoo","all":[{"name":"one","text":"\"1\""},{"name":"two","text":"2"}]}`},
		"one":                  {front + "/one/two/", 200, `{"name":"two","text":"2"}`},
		"unknown word":         {front + "/one/three/", 404, "there is no three"},
		"unknown path":         {front + "/two", 404, "not found"},
		"no template":          {front + "/word", 404, "not found"},
		"a variable is empty":  {untold + "/words/one", 503, "TOKEN is empty"},
		"so at its neighbour":  {broken + "/", 502, "TOKEN is empty"},
		"which is still well":  {broken + "/healthz", 200, "ok"},
		"a file is not there":  {fileless + "/", 502, "names.txt"},
		"a default":            {serve(t, Program{Answers: book.Answers}, map[string]string{"NAMES": os.DevNull}) + "/", 200, `"title":"book"`},
		"nobody is there":      {serve(t, book, map[string]string{"WORDS": "http://127.0.0.1:1", "NAMES": names}) + "/", 502, "refused"},
		"what no template has": {serve(t, Program{Answers: map[string]string{"/": `{{template "gone"}}`}}, nil) + "/", 502, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			code, text := ask(t, c.url)
			if code != c.code || !strings.Contains(text, c.says) {
				t.Errorf("%d %s, want %d %s", code, text, c.code, c.says)
			}
			if c.code == http.StatusOK && strings.HasPrefix(text, "{") && !json.Valid([]byte(text)) {
				t.Errorf("no JSON: %s", text)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		program Program
		err     string
	}{
		"good":             {Program{Port: 8080, Answers: map[string]string{"/": "{}"}}, ""},
		"no port":          {Program{}, "port: must be from 1 to 65535"},
		"broken template":  {Program{Port: 8080, Answers: map[string]string{"/x": "{{"}}, "answers: template: /x"},
		"unknown function": {Program{Port: 8080, Answers: map[string]string{"/x": "{{ask}}"}}, `function "ask" not defined`},
		"broken path":      {Program{Port: 8080, Answers: map[string]string{"/{": "{}"}}, `answers: "/{"`},
		"health":           {Program{Port: 8080, Answers: map[string]string{"/healthz": "{}"}}, "/healthz"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.program.Validate(); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

func TestRunListensOnLoopbackOnly(t *testing.T) {
	if err := (Program{Port: 8080}).Run(t.Context(), "0.0.0.0"); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("got %v", err)
	}
}

// TestRunEnds is a pod that is told to end.
func TestRunEnds(t *testing.T) {
	address := freeport.Address(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Program{Port: number}.Run(ctx, host) }()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		resp, err := http.Get("http://" + address + "/healthz") //nolint:noctx // of this test
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
