package front

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/endpoint/permissions"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// fakeMoto answers what the front asks of moto, and shows what it got.
func fakeMoto(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "stranger@"):
			w.WriteHeader(http.StatusBadRequest)
		case r.Method == http.MethodPost && r.URL.Path == "/clusters":
			var in map[string]any
			_ = json.Unmarshal(body, &in)
			_ = json.NewEncoder(w).Encode(map[string]any{"cluster": map[string]any{"name": in["name"], "arn": "arn:c", "resourcesVpcConfig": map[string]any{"vpcId": "vpc-1"}}})
		case strings.HasPrefix(r.URL.Path, "/clusters/local"):
			_, _ = io.WriteString(w, `{"cluster":{"name":"local","endpoint":"https://made.up","version":"1.30","resourcesVpcConfig":{"vpcId":"vpc-1"}}}`)
		case strings.HasPrefix(r.URL.Path, "/clusters/"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message":"No cluster found"}`)
		case strings.Contains(string(body), "DescribeSecurityGroups"):
			_, _ = io.WriteString(w, `<R><securityGroupInfo><item><groupId>sg-1</groupId><groupName>n</groupName><groupDescription>d</groupDescription><tagSet><item><key>k</key><value>`+strings.ReplaceAll(string(body), "&", "&amp;")+`</value></item></tagSet></item></securityGroupInfo></R>`)
		default:
			w.Header().Set("X-Got-Length", r.Header.Get("Content-Length"))
			w.Header().Set("X-Got-Host", r.Host)
			w.Header().Set("X-Got-Chunked", strings.Join(r.TransferEncoding, ","))
			w.Header().Set("Content-Length", "0")
			if r.Method != http.MethodHead {
				w.Header().Set("Content-Length", json.Number(itoa(len(body))).String())
				_, _ = w.Write(body)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func newFront(t *testing.T, moto, dir string) *httptest.Server {
	t.Helper()
	f, err := New(Options{
		Moto: moto, Self: "http://self", Account: "000000000000", Region: "eu-west-1", Dir: dir, Mail: filepath.Join(dir, "mail"),
		ClusterEndpoint: "https://127.0.0.1:6443", ClusterCA: "Q0E=",
		CloudFormation: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "engine") }),
		Review: func(_ context.Context, token string) (string, string, error) {
			if token != "good" {
				return "", "", errors.New("bad token")
			}
			return "ghost", "ghost", nil
		},
		Assume: func(_ context.Context, role, _ string) (Credentials, error) {
			return Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s", Token: role, Expiration: time.Unix(1800000000, 0).UTC()}, nil
		},
		Pipelines: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("X-Amz-Target") != "CodePipeline_20150709.GetPipelineState" {
				return false
			}
			_, _ = io.WriteString(w, "pipelines")
			return true
		},
		Recorded: func() map[string]string { return map[string]string{"AWS::EKS::Addon": "why"} },
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s
}

func send(t *testing.T, method, url, service string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if service != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20261120/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	return res, string(b)
}

func TestRouting(t *testing.T) {
	s := newFront(t, fakeMoto(t).URL, t.TempDir())
	if _, body := send(t, "POST", s.URL, "cloudformation", strings.NewReader("Action=X")); body != "engine" {
		t.Errorf("cloudformation: %q", body)
	}
	for target, want := range map[string]string{"GetPipelineState": "pipelines", "GetPipeline": "to moto"} {
		if _, body := send(t, "POST", s.URL, "codepipeline", strings.NewReader("to moto"), "X-Amz-Target", "CodePipeline_20150709."+target); body != want {
			t.Errorf("%s: %q", target, body)
		}
	}
	if _, body := send(t, "PUT", s.URL+"/b/k", "s3", strings.NewReader("object")); body != "object" {
		t.Errorf("s3: %q", body)
	}
	if _, body := send(t, "POST", s.URL+"/?X-Amz-Credential=test%2F20261120%2Feu-west-1%2Fcloudformation%2Faws4_request", "", nil); body != "engine" {
		t.Errorf("presigned: %q", body)
	}
	if res, _ := send(t, "HEAD", s.URL+"/b/k", "s3", nil); res.StatusCode != 200 || res.Header.Get("X-Got-Host") != strings.TrimPrefix(s.URL, "http://") {
		t.Errorf("HEAD: %v", res.Header)
	}
	if _, body := send(t, "GET", s.URL+"/_local/types", "", nil); body != `{"reasons":{"AWS::EKS::Addon":"why"},"recorded":["AWS::EKS::Addon"]}` {
		t.Errorf("types: %q", body)
	}
	if _, body := send(t, "GET", s.URL+"/healthz", "", nil); body != "ok\n" {
		t.Errorf("healthz: %q", body)
	}
}

func TestBodies(t *testing.T) {
	s := newFront(t, fakeMoto(t).URL, t.TempDir())
	for _, size := range []int{0, 10, inMemory + 1000} {
		data := bytes.Repeat([]byte("x"), size)
		res, body := send(t, "PUT", s.URL+"/b/k", "s3", struct{ io.Reader }{bytes.NewReader(data)}) // chunked: no known length
		if len(body) != size || res.Header.Get("X-Got-Chunked") != "" {
			t.Errorf("%d bytes chunked: %d back, transfer %q", size, len(body), res.Header.Get("X-Got-Chunked"))
		}
	}
	if _, body := send(t, "PUT", s.URL+"/b/k", "s3", strings.NewReader("wait"), "Expect", "100-continue"); body != "wait" {
		t.Errorf("expect: %q", body)
	}
}

func TestMotoAway(t *testing.T) {
	s := newFront(t, "http://"+freeport.Address(t), t.TempDir())
	for _, c := range [][2]string{{"s3", "/b"}, {"eks", "/clusters/local"}} {
		if res, _ := send(t, "GET", s.URL+c[1], c[0], nil); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", c[0], res.StatusCode)
		}
	}
}

func TestSecurityGroupsForVPC(t *testing.T) {
	s := newFront(t, fakeMoto(t).URL, t.TempDir())
	_, body := send(t, "POST", s.URL, "ec2", strings.NewReader("Action=GetSecurityGroupsForVpc&Version=2016-11-15&VpcId=vpc-1&Filter.1.Name=group-id&Filter.1.Value.1=sg-1"))
	for _, want := range []string{"<groupId>sg-1</groupId>", "<primaryVpcId>vpc-1</primaryVpcId>", "<key>k</key>", "Filter.2.Name=vpc-id", "Filter.1.Name=group-id"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if _, body := send(t, "POST", s.URL, "ec2", strings.NewReader("Action=DescribeVpcs")); body != "Action=DescribeVpcs" {
		t.Errorf("other actions: %q", body)
	}
}

func eksClient(s *httptest.Server) *eks.Client {
	return eks.New(eks.Options{Region: "eu-west-1", BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1, HTTPClient: httpbody.Client()})
}

func TestEKS(t *testing.T) {
	ctx := context.Background()
	moto, dir := fakeMoto(t), t.TempDir()
	s := newFront(t, moto.URL, dir)
	c := eksClient(s)
	name := aws.String("local")
	var missing *types.ResourceNotFoundException
	if _, err := c.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: name}); !errors.As(err, &missing) {
		t.Errorf("no cluster: %v", err)
	}
	_, err := c.CreateCluster(ctx, &eks.CreateClusterInput{Name: name, RoleArn: aws.String("r"), Version: aws.String("1.36"),
		ResourcesVpcConfig: &types.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true)}, AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, DeletionProtection: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	up, err := c.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: name, Version: aws.String("1.37")})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := c.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: name, UpdateId: up.Update.Id}); err != nil || d.Update.Status != types.UpdateStatusSuccessful {
		t.Error(d, err)
	}
	as, err := c.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: name, Namespace: aws.String("ghost"), ServiceAccount: aws.String("ghost"), RoleArn: aws.String("arn:role")})
	if err != nil {
		t.Fatal(err)
	}
	var taken *types.ResourceInUseException
	if _, err := c.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: name, Namespace: aws.String("ghost"), ServiceAccount: aws.String("ghost"), RoleArn: aws.String("arn:other")}); !errors.As(err, &taken) {
		t.Errorf("twice: %v", err)
	}

	s = newFront(t, moto.URL, dir) // everything is there after a restart
	c = eksClient(s)
	d, err := c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	k := d.Cluster
	if aws.ToString(k.Endpoint) != "https://127.0.0.1:6443" || aws.ToString(k.Version) != "1.37" || k.AccessConfig.AuthenticationMode != types.AuthenticationModeApi ||
		!k.ResourcesVpcConfig.EndpointPrivateAccess || aws.ToString(k.ResourcesVpcConfig.VpcId) != "vpc-1" || aws.ToString(k.CertificateAuthority.Data) != "Q0E=" {
		t.Errorf("%+v", k)
	}
	if a, err := c.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: name, AssociationId: as.Association.AssociationId}); err != nil || aws.ToString(a.Association.RoleArn) != "arn:role" {
		t.Error(a, err)
	}
	if _, err := c.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name}); err == nil || !strings.Contains(err.Error(), "deletion protection") {
		t.Errorf("deleted in spite of its protection: %v", err)
	}
}

func TestPodIdentity(t *testing.T) {
	ctx := context.Background()
	s := newFront(t, fakeMoto(t).URL, t.TempDir())
	c := eksClient(s)
	where := s.URL + "/_local/pod-identity?namespace=ghost&serviceaccount=ghost"
	if res, _ := send(t, "GET", where, "", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("before: %d", res.StatusCode)
	}
	_, _ = c.CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("local"), RoleArn: aws.String("r"), ResourcesVpcConfig: &types.VpcConfigRequest{}})
	if _, err := c.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: aws.String("local"), Namespace: aws.String("ghost"), ServiceAccount: aws.String("ghost"), RoleArn: aws.String("arn:role")}); err != nil {
		t.Fatal(err)
	}
	if _, body := send(t, "GET", where, "", nil); body != `{"credentialsURL":"http://self/_local/credentials","roleArn":"arn:role"}` {
		t.Error(body)
	}
	for token, want := range map[string]int{"": 400, "bad": 401, "good": 200} {
		res, body := send(t, "GET", s.URL+"/_local/credentials", "", nil, "Authorization", token)
		if res.StatusCode != want || want == 200 && !strings.Contains(body, `"Token":"arn:role"`) {
			t.Errorf("token %q: %d %s", token, res.StatusCode, body)
		}
	}
	// What the role then does is noted, and reaches the service as it was sent.
	const form, scope = "Action=DescribeVpcs", "AWS4-HMAC-SHA256 Credential=AKIA/20261120/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=0"
	if _, body := send(t, "POST", s.URL, "", strings.NewReader(form), "Authorization", scope); body != form {
		t.Errorf("moto got %q", body)
	}
	if _, body := send(t, "GET", s.URL+permissions.Path, "", nil); body != `[{"role":"arn:role","action":"ec2:DescribeVpcs","count":1}]` {
		t.Errorf("noted: %s", body)
	}
}
