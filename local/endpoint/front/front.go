// Package front is the one AWS endpoint of the local loop. It looks at the
// service in a request's signature: CloudFormation goes to the engine, executions
// of pipelines to what ran them, the EKS and EC2 calls that moto lacks are
// answered here, and everything else goes to moto as it came. Signatures are not checked: the endpoint listens on the
// loopback interface only. Requests to RegistryHost are those of a container
// registry.
package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"k8s-plus-aws-gitops/local/endpoint/permissions"
)

// Credentials are what a pod gets for its role, in the shape of the EKS Pod
// Identity agent's answer.
type Credentials struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	SecretAccessKey string    `json:"SecretAccessKey"` //nolint:gosec // the agent's field name
	Token           string    `json:"Token"`
	AccountID       string    `json:"AccountId"`
	Expiration      time.Time `json:"Expiration"`
}

// Options are what a Front needs.
type Options struct {
	Moto            string // base URL of moto
	Self            string // base URL of this endpoint, told to pods
	Account, Region string
	Dir             string       // holds what moto cannot keep
	Mail            string       // folder of the mail that SES takes
	CloudFormation  http.Handler // the engine
	// Pipelines answers CodePipeline's requests about executions, and returns false for the others.
	Pipelines func(http.ResponseWriter, *http.Request) bool
	// The Kubernetes API server that stands behind every EKS cluster.
	ClusterEndpoint, ClusterCA string
	// Review tells whose ServiceAccount token it is.
	Review func(ctx context.Context, token string) (namespace, serviceAccount string, err error)
	// Assume makes credentials for a role.
	Assume func(ctx context.Context, roleARN, session string) (Credentials, error)
	// Policies are those of a role of pods, which may do nothing else; nil: everything.
	Policies func(ctx context.Context, role string) ([]permissions.Policy, error)
	// Authenticate tells who signs in to a cluster with a token of AWS, and the groups of the access entry.
	Authenticate func(ctx context.Context, token string) (user string, groups []string, err error)
	// Snapshots of databases; nil: moto's alone, without content.
	Snapshots Snapshots
	// Rotate begins the rotation of a secret; nil: moto answers.
	Rotate func(ctx context.Context, secretID, token string) (Rotated, error)
	// FunctionURLs answers at the addresses of functions, below FunctionURLPath.
	FunctionURLs    http.Handler
	FunctionURLPath string
	// ECR holds the images that the registry shows.
	ECR *ecr.Client
	// Recorded lists the resource types that are only recorded, with the reason.
	Recorded func() map[string]string
	Log      *slog.Logger
}

// Front is the endpoint's handler.
type Front struct {
	opt    Options
	moto   *url.URL
	proxy  *httputil.ReverseProxy
	local  *http.ServeMux
	eks    *clusterAPI
	images *registry
	calls  *permissions.Recorder
}

// AuthenticatePath is where the API server asks about tokens.
const AuthenticatePath = "/_local/authenticate"

// New loads the saved state and returns the handler.
func New(opt Options) (*Front, error) {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	moto, err := url.Parse(opt.Moto)
	if err != nil || moto.Host == "" {
		return nil, fmt.Errorf("moto's address %q is no URL", opt.Moto)
	}
	f := &Front{opt: opt, moto: moto, local: http.NewServeMux(), images: &registry{opt.ECR}}
	f.proxy = newProxy(moto, opt.Log)
	if f.eks, err = newEKS(f); err != nil {
		return nil, err
	}
	if f.calls, err = permissions.NewRecorder(filepath.Join(opt.Dir, "permissions.json"), opt.Account, opt.Region); err != nil {
		return nil, err
	}
	f.calls.Policies = opt.Policies
	f.local.HandleFunc("GET "+permissions.Path, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, f.calls.Calls()) })
	f.local.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	f.local.HandleFunc("GET /_local/types", f.types)
	f.local.HandleFunc("GET /_local/pod-identity", f.podIdentity)
	f.local.HandleFunc("GET /_local/credentials", f.credentials)
	f.local.HandleFunc("POST "+AuthenticatePath, f.authenticate)
	if opt.FunctionURLs != nil {
		f.local.Handle(opt.FunctionURLPath, opt.FunctionURLs)
	}
	return f, nil
}

var credentialScope = regexp.MustCompile(`[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request`)

// Service names the service that a request is signed for, "" for an unsigned
// one. Presigned requests carry the scope in the query.
func Service(r *http.Request) string {
	scope := r.Header.Get("Authorization")
	if scope == "" {
		scope = r.URL.Query().Get("X-Amz-Credential")
	}
	m := credentialScope.FindStringSubmatch(scope)
	if m == nil {
		return ""
	}
	return m[1]
}

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	name := Service(r)
	var denial *permissions.Denial
	if err := f.calls.See(r); errors.As(err, &denial) {
		f.opt.Log.Info("denied", "role", denial.Role, "action", denial.Action, "resource", denial.Resource)
		deny(w, r, name, denial)
		return
	} else if err != nil {
		f.opt.Log.Warn("a call is not held to the policies of its role", "error", err)
		unavailable(w)
		return
	}
	switch {
	case isRegistry(r):
		f.images.ServeHTTP(w, r)
	case r.URL.Path == "/healthz" || strings.HasPrefix(r.URL.Path, "/_local/"):
		f.local.ServeHTTP(w, r)
	case name == "cloudformation":
		f.opt.CloudFormation.ServeHTTP(w, r)
	case name == "eks" && f.eks.serve(w, r):
	case name == "ec2" && f.ec2(w, r):
	case name == "ecr" && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutImage"):
		f.putImage(w, r)
	case name == "codepipeline" && f.opt.Pipelines != nil && f.opt.Pipelines(w, r):
	case name == "rds" && f.rds(w, r):
	case name == "secretsmanager" && f.rotates(r):
		f.rotate(w, r)
	case name == "ses" && r.Method == http.MethodPost && r.URL.Path == "/v2/email/outbound-emails":
		f.mail(w, r)
	default:
		f.forward(w, r)
	}
	f.opt.Log.Debug("aws", "service", name, "method", r.Method, "path", r.URL.Path, "target", r.Header.Get("X-Amz-Target"), "took", time.Since(start))
}

func (f *Front) types(w http.ResponseWriter, _ *http.Request) {
	reasons := map[string]string{}
	if f.opt.Recorded != nil {
		reasons = f.opt.Recorded()
	}
	writeJSON(w, http.StatusOK, object{"recorded": sortedKeys(reasons), "reasons": reasons})
}

type object = map[string]any

func sortedKeys[V any](m map[string]V) []string {
	return append([]string{}, slices.Sorted(maps.Keys(m))...) // never nil, which would be null in JSON
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// failure is an error of a JSON API.
type failure struct {
	status  int
	code    string
	message string
}

func (e *failure) Error() string { return e.message }

func fail(status int, code, format string, a ...any) error {
	return &failure{status, code, fmt.Sprintf(format, a...)}
}

func notFound(format string, a ...any) error {
	return fail(http.StatusNotFound, "ResourceNotFoundException", format, a...)
}

func invalidParameter(format string, a ...any) error {
	return fail(http.StatusBadRequest, "InvalidParameterException", format, a...)
}

func writeFailure(w http.ResponseWriter, err error) {
	f := &failure{http.StatusInternalServerError, "ServerException", err.Error()}
	var given *failure
	if errors.As(err, &given) {
		f = given
	}
	w.Header().Set("X-Amzn-Errortype", f.code)
	writeJSON(w, f.status, object{"__type": f.code, "message": f.message})
}
