package deploy

import (
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/stack/layout"
)

// What the local AWS endpoint answers for. The account is moto's and
// CloudFormation's convention for "no account".
const (
	Account     = "000000000000"
	Region      = "eu-west-1"
	Environment = "local"
)

// Variables returns what the AWS CLI, the CDK CLI and the AWS SDKs need to
// talk to the local endpoint and to nothing else: no profile, no instance
// metadata, dummy keys. The CDK CLI notes in its home which account a key
// belongs to, so it gets one that goes with the state.
func Variables(d *layout.Dir, endpoint string) map[string]string {
	return map[string]string{
		"CDK_HOME":         d.Path("cdk"),
		"AWS_ENDPOINT_URL": endpoint,
		// A bare address makes S3 clients use path style; the second is what
		// the CDK CLI gives CloudFormation as a template's URL.
		"AWS_ENDPOINT_URL_S3":                    endpoint,
		"AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION": endpoint,
		"AWS_ACCESS_KEY_ID":                      "test",
		"AWS_SECRET_ACCESS_KEY":                  "test",
		"AWS_REGION":                             Region,
		"AWS_DEFAULT_REGION":                     Region,
		"AWS_EC2_METADATA_DISABLED":              "true",
		"AWS_CONFIG_FILE":                        os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE":            os.DevNull,
		"CDK_DISABLE_CLI_TELEMETRY":              "true",
		"CDK_DISABLE_VERSION_CHECK":              "true",
		"NO_PROXY":                               "127.0.0.1,localhost,.localhost",
		"no_proxy":                               "127.0.0.1,localhost,.localhost",
	}
}

// Config is the SDK configuration for the local endpoint.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:   &http.Client{Transport: httpbody.Transport{Base: http.DefaultTransport}},
	}
}

// Environ is the environment of the CDK CLI and of the app, and of every build
// of a pipeline: the user's without their AWS account, and with the Node.js of
// package.json first on the PATH.
func Environ(d *layout.Dir, endpoint string) []string {
	vars := Variables(d, endpoint)
	var out []string
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "CDK_"), strings.HasPrefix(name, "GIT_"), vars[name] != "", name == "KUBECONFIG":
		case name == "PATH":
			out = append(out, "PATH="+d.NodeBin()+string(os.PathListSeparator)+value)
		case name == "TMPDIR":
		default:
			out = append(out, e)
		}
	}
	for name, value := range vars {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return append(out, "TMPDIR="+d.Temp(), "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=true", "GOFLAGS=-buildvcs=false")
}
