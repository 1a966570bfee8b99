package procnode

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary also be the node (so that it can be killed) and the program that pods run.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("PROCNODE_TEST_SERVE") != "":
		serveTestProgram()
	case os.Getenv("PROCNODE_TEST_NODE") != "":
		os.Exit(runTestNode())
	}
	os.Exit(m.Run())
}

func runTestNode() int {
	c := Config{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if err := json.Unmarshal([]byte(os.Getenv("PROCNODE_TEST_NODE")), &struct{ *Config }{&c}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serveTestProgram is a small web server on POD_IP:8080 that answers with VERSION, drains on SIGTERM and fails as asked.
func serveTestProgram() {
	if os.Getenv("CRASH") != "" {
		fmt.Println("crashing as asked")
		os.Exit(3)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv("VERSION")) })
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.FormValue("name"))) })
	mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(4) })
	s := &http.Server{Addr: os.Getenv("POD_IP") + ":8080", Handler: mux}
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(drain)
		os.Exit(0)
	}()
	fmt.Println("serving version", os.Getenv("VERSION"))
	fmt.Fprintln(os.Stderr, s.ListenAndServe())
	time.Sleep(10 * time.Second)
	os.Exit(1)
}
