package deploy

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/httpbody"
	"k8s-plus-aws-gitops/local/endpoint/fault"
	"k8s-plus-aws-gitops/local/system/layout"
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

// GitLogin is the file with which git on this machine signs in at the local Git server.
func GitLogin(d *layout.Dir) string { return d.Path("git", "login") }

// GitVariables let git sign in at the local Git server, and only there, as configuration of this environment alone.
func GitVariables(d *layout.Dir, p layout.Ports) map[string]string {
	return GitConfig(0, GitSettings(d, p))
}

// GitURL is where environment local says that its repository is, in cdk.json; in the cluster the name leads to the Git server.
const GitURL = "http://git.localhost/"

// GitSettings are the keys and values of GitVariables. The empty helper comes first so that the user's own neither
// answers nor keeps the password.
func GitSettings(d *layout.Dir, p layout.Ports) [][2]string {
	key := "credential." + p.URL(layout.Git) + ".helper"
	return [][2]string{
		{key, ""}, {key, "store --file='" + strings.ReplaceAll(GitLogin(d), "'", `'\''`) + "'"},
		{"url." + p.URL(layout.Git) + "/.insteadOf", GitURL}, // where the name leads to
	}
}

// GitConfig writes settings as variables, behind those that there are already.
func GitConfig(have int, settings [][2]string) map[string]string {
	vars := map[string]string{"GIT_CONFIG_COUNT": strconv.Itoa(have + len(settings))}
	for i, s := range settings {
		vars["GIT_CONFIG_KEY_"+strconv.Itoa(have+i)], vars["GIT_CONFIG_VALUE_"+strconv.Itoa(have+i)] = s[0], s[1]
	}
	return vars
}

// List turns variables into an environment.
func List(variables map[string]string) []string {
	out := make([]string, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		out = append(out, name+"="+variables[name])
	}
	return out
}

// Config is the SDK configuration for the local endpoint, of those whom no fault of AWS hits.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(endpoint),
		AppID:        fault.Exempt,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:   httpbody.Client(),
	}
}

// Environ is the environment of the CDK CLI and of the app, and of every build
// of a pipeline: the user's without their AWS account and without their token of
// GitHub, which would get the statuses and comments of a local system, and with the
// Node.js of package.json first on the PATH.
func Environ(d *layout.Dir, endpoint string) []string {
	vars := Variables(d, endpoint)
	var out []string
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "CDK_"), strings.HasPrefix(name, "GIT_"), vars[name] != "", name == "KUBECONFIG", slices.Contains(forge.Variables, name):
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
