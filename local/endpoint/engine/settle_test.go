package engine

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTheCDKWaitsInOneQuestion asks how a stack is while it is being made: the CDK CLI hears when it is done, everybody else
// how it is now.
func TestTheCDKWaitsInOneQuestion(t *testing.T) {
	w := newWorld(t)
	w.block = make(chan struct{})
	ask := func(agent string) string {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=DescribeStacks&StackName=s"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("User-Agent", agent)
		answer := httptest.NewRecorder()
		w.engine.ServeHTTP(answer, r)
		return answer.Body.String()
	}
	w.execute("s", `{"Resources": {"B": {"Type": "Test::A::Block"}}}`)
	if got := ask("aws-cli/2.0"); !strings.Contains(got, "CREATE_IN_PROGRESS") {
		t.Errorf("somebody else heard %s", got)
	}
	heard := make(chan string, 1)
	go func() { heard <- ask("aws-sdk-js/3.0 aws-cdk/2.1148.1") }()
	select {
	case got := <-heard:
		t.Fatalf("the CLI heard at once: %s", got)
	case <-time.After(200 * time.Millisecond):
	}
	close(w.block)
	if got := <-heard; !strings.Contains(got, "CREATE_COMPLETE") {
		t.Errorf("the CLI heard %s", got)
	}
}
