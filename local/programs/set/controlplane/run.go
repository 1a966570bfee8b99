package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc/grpclog"
	logsapi "k8s.io/component-base/logs/api/v1"
)

// run starts the four components in order and waits for SIGTERM, SIGINT or the end of one of them.
//
// After a signal the components get o.grace to stop; then the process exits with status 0 regardless:
// kube-apiserver waits for open watches, of which a running cluster always has some, for up to a minute.
// Nothing is lost by that, every write that was acknowledged is in etcd's log.
func run(ctx context.Context, o options) error {
	started := time.Now()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	// Three components in one process each apply the same logging configuration.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged

	// A dialled connection that lost a race to another is a warning of gRPC's, hundreds of them per start.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr))

	ca, err := prepare(o)
	if err != nil {
		return err
	}
	e, err := startEtcd(ctx, o)
	if err != nil {
		return err
	}
	defer e.Close()
	logf("etcd is ready after %s", since(started))

	failed := make(chan error, 3)
	spawn := func(name string, run func(context.Context) error) {
		go func() {
			if err := run(ctx); ctx.Err() == nil {
				failed <- fmt.Errorf("%s ended: %w", name, orUnexpected(err))
			}
		}()
	}
	spawn("kube-apiserver", func(ctx context.Context) error { return runAPIServer(ctx, o) })
	if err := waitReady(ctx, o.server(), ca, failed); err != nil {
		return stopped(ctx, err)
	}
	logf("kube-apiserver is ready after %s", since(started))
	spawn("kube-scheduler", func(ctx context.Context) error { return runScheduler(ctx, o) })
	spawn("kube-controller-manager", func(ctx context.Context) error { return runControllerManager(ctx, o) })
	logf("ready at %s after %s, kubeconfig %s", o.server(), since(started), o.kubeconfig)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	logf("stopping")
	time.AfterFunc(o.grace, func() { os.Exit(0) })
	e.Close()
	os.Exit(0) // the goroutines above still hold watches open
	return nil
}

// stopped hides the error of a start that a signal interrupted.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func orUnexpected(err error) error {
	if err == nil {
		return errors.New("it returned without an error")
	}
	return err
}

func since(t time.Time) time.Duration { return time.Since(t).Round(10 * time.Millisecond) }

func logf(format string, args ...any) {
	fmt.Printf("controlplane: "+format+"\n", args...)
}
