// Package endpoint is the AWS endpoint of the local loop: one HTTP server (package
// front) with the CloudFormation service (package engine) and resource
// handlers (package resources) in front of moto.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/endpoint/engine"
	"k8s-plus-aws-gitops/local/endpoint/fault"
	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/endpoint/function"
	_ "k8s-plus-aws-gitops/local/endpoint/kube" // registers the cluster's custom resources
	"k8s-plus-aws-gitops/local/endpoint/permissions"
	"k8s-plus-aws-gitops/local/endpoint/resources"
	"k8s-plus-aws-gitops/local/pipelines"
)

// Config says where the endpoint listens and what stands behind it. Every
// field is required but Log, FluxOperator, Functions, Pipelines and Faults.
type Config struct {
	Listen          string // 127.0.0.1:PORT
	Moto            string // http://127.0.0.1:PORT
	Account, Region string
	Dir             string             // keeps stacks and what moto cannot keep
	Mail            string             // directory that keeps the mail that is sent
	Kubeconfig      string             // admin of the cluster that stands behind EKS
	Database        resources.Database // behind RDS endpoints of MySQL
	Postgres        resources.Database // and of PostgreSQL
	Caches          resources.Caches   // behind replication groups of ElastiCache; nil: they are refused
	ClusterEndpoint string             // https://… of the API server
	ClusterCA       string             // base64 of its CA's PEM
	FluxOperator    string             // directory with the flux-operator install manifests, see package kube
	Functions       Functions          // what runs the functions of Lambda; none without a program
	Pipelines       string             // folder of the executions that the runner records, see package pipelines
	Faults          string             // file that says which requests fail, see package fault
	Log             *slog.Logger
}

// Functions is how functions of Lambda run.
type Functions struct {
	// Program is the command line that the name of a function's handler is added to.
	Program []string
	// Env are variables of all functions.
	Env []string
}

// closing bounds how long a stop waits for requests in flight.
const closing = 3 * time.Second

func (c Config) check() error {
	for name, v := range map[string]string{"Listen": c.Listen, "Moto": c.Moto, "Account": c.Account, "Region": c.Region, "Dir": c.Dir, "Mail": c.Mail} {
		if v == "" {
			return fmt.Errorf("endpoint: %s is empty", name)
		}
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("endpoint: Listen: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("endpoint: Listen %s is not on the loopback interface; signatures are not checked, so it must be", c.Listen)
	}
	return nil
}

// Run serves the endpoint until ctx ends. Stack operations that were
// interrupted, by a stop or a kill, go on when it runs again.
func Run(ctx context.Context, c Config) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	self := "http://" + listener.Addr().String()
	moto := awsConfig(c.Moto, c.Region)
	runner, started := c.runner(moto, self), make(chan struct{})
	var e *engine.Engine
	stacks := func(kind string) func() []map[string]any {
		return func() []map[string]any {
			<-started // an operation that was cut off goes on at once
			return e.Properties(kind)
		}
	}
	runner.Functions = stacks("AWS::Lambda::Function")
	services := &resources.Services{
		AWS: awsConfig(self, c.Region), Account: c.Account, Region: c.Region, Database: c.Database, Postgres: c.Postgres, Caches: c.Caches,
		SnapshotDir: filepath.Join(c.Dir, "snapshots"), ClusterEndpoint: c.ClusterEndpoint, ClusterCA: c.ClusterCA,
		Kubeconfig: c.Kubeconfig, FluxOperator: c.FluxOperator, Log: c.Log, Invoke: runner.Invoke,
	}
	e, err = engine.New(ctx, engine.Options{
		Account: c.Account, Region: c.Region, Dir: filepath.Join(c.Dir, "stacks"),
		Values: newValues(moto), Ready: c.ready, Log: c.Log,
		Services: services,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer e.Close()
	close(started)
	rotations := &function.Rotations{
		Secrets: secretsmanager.NewFromConfig(moto), Invoke: runner.Invoke, Log: c.Log,
		Schedules: stacks("AWS::SecretsManager::RotationSchedule"),
	}
	f, err := front.New(front.Options{
		Moto: c.Moto, Self: self, Account: c.Account, Region: c.Region, Dir: c.Dir, Mail: c.Mail, CloudFormation: e,
		ClusterEndpoint: c.ClusterEndpoint, ClusterCA: c.ClusterCA, Review: reviewer{c.Kubeconfig}.review,
		Assume: assumer(moto, c.Account), ECR: ecr.NewFromConfig(moto), Recorded: recorded, Log: c.Log, Rotate: rotations.Rotate, Snapshots: services, Policies: permissions.Reader(moto),
		FunctionURLPath: resources.FunctionURLPath, FunctionURLs: function.URLs{Stacks: stacks("AWS::Lambda::Url"), Invoke: runner.Invoke, Log: c.Log},
		Authenticate: authenticator{moto, e.Properties}.authenticate,
		Pipelines:    pipelines.API{Root: c.Pipelines, Definitions: func() []map[string]any { return e.Properties("AWS::CodePipeline::Pipeline") }}.Serve,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, listener, &fault.Switch{File: c.Faults, Service: front.Service, Next: f, Log: c.Log})
}

// runner runs functions with the credentials of their roles. The stacks, which say which there are, come later.
func (c Config) runner(moto aws.Config, self string) *function.Runner {
	return &function.Runner{
		Program: c.Functions.Program, Assume: assumer(moto, c.Account), Region: c.Region, Log: c.Log,
		Env: append([]string{"AWS_ENDPOINT_URL=" + self}, c.Functions.Env...),
	}
}

func serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("endpoint: %w", err)
	}
	<-stopped
	return nil
}

// awsConfig reaches a local endpoint with the credentials that the local loop
// uses everywhere; nothing checks them.
func awsConfig(endpoint, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(endpoint), AppID: fault.Exempt,
		Credentials:      credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:       &http.Client{Transport: httpbody.Transport{Base: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, IdleConnTimeout: 10 * time.Second}}},
		RetryMaxAttempts: 8, // with back-off about 20 s: moto restarts in less
	}
}

// recorded lists the types that only the engine knows, with the reason.
func recorded() map[string]string {
	out := map[string]string{}
	for name, t := range resources.All() {
		if t.Recorded != "" {
			out[name] = t.Recorded
		}
	}
	return out
}

// ready waits, for at most five minutes each, until moto and the API server accept
// connections, and until moto is done with what a killed endpoint asked of it.
func (c Config) ready(ctx context.Context) error {
	for _, address := range []string{c.Moto, c.ClusterEndpoint} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			continue
		}
		if err := dialable(ctx, u.Host); err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Moto+"/_local/drain", nil)
	if err != nil {
		return err
	}
	answer, err := httpbody.Client().Do(ask)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func dialable(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}
