package permissions

import (
	"encoding/json"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// need is an action that a request needs, and on which resource: an ARN, or
// empty where the request does not name one.
type need struct{ Action, Resource string }

// account says whose resources names stand for.
type account struct{ ID, Region string }

func (a account) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + a.Region + ":" + a.ID + ":" + resource
}

// prefixes are the services that IAM calls otherwise than signatures do.
var prefixes = map[string]string{"tagging": "tag", "monitoring": "cloudwatch"}

func prefix(service string) string {
	if name, ok := prefixes[service]; ok {
		return name
	}
	return service
}

// needs lists what a request needs, from its protocol: a form with Action, a
// header with the target, or method and path. What is not understood becomes an
// action that no policy allows, so that it is seen.
func (a account) needs(service string, r *http.Request, body []byte) []need {
	if service == "sts" {
		return nil // GetCallerIdentity, which nobody can be denied
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return []need{{prefix(service) + ":" + target[strings.LastIndex(target, ".")+1:], a.named(service, body)}}
	}
	switch service {
	case "s3":
		return []need{object(r)}
	case "route53":
		return []need{zone(r)}
	case "ses":
		if r.Method == http.MethodPost && r.URL.Path == "/v2/email/outbound-emails" {
			return []need{a.sending(body)}
		}
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		return tagged(prefix(service), form)
	}
	return []need{unknown(service, r)}
}

// sending reads a message to SES, which asks for another right when it comes as a whole:
// https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
func (a account) sending(body []byte) need {
	var in struct {
		FromEmailAddress string
		Content          struct{ Raw *struct{} }
	}
	n := need{Action: "ses:SendEmail"}
	if json.Unmarshal(body, &in) == nil && in.Content.Raw != nil {
		n.Action = "ses:SendRawEmail"
	}
	if from, err := mail.ParseAddress(in.FromEmailAddress); err == nil {
		n.Resource = a.arn("ses", "identity/"+from.Address[strings.LastIndex(from.Address, "@")+1:])
	}
	return n
}

// unknown names a request that no rule here knows.
func unknown(service string, r *http.Request) need {
	return need{Action: prefix(service) + ":" + r.Method + " " + r.URL.RequestURI()}
}

// named is the resource that the body of a request names.
func (a account) named(service string, body []byte) string {
	var in struct {
		SecretID       string `json:"SecretId"`
		RepositoryName string `json:"repositoryName"`
		QueueURL       string `json:"QueueUrl"`
		TableName      string
	}
	if json.Unmarshal(body, &in) != nil {
		return ""
	}
	switch {
	case service == "secretsmanager" && strings.HasPrefix(in.SecretID, "arn:"):
		return in.SecretID
	case service == "secretsmanager" && in.SecretID != "":
		// Secrets Manager appends a hyphen and six characters to the name.
		return a.arn(service, "secret:"+in.SecretID+"-000000")
	case service == "ecr" && in.RepositoryName != "":
		return a.arn(service, "repository/"+in.RepositoryName)
	case service == "sqs" && in.QueueURL != "":
		return a.arn(service, in.QueueURL[strings.LastIndex(in.QueueURL, "/")+1:])
	case service == "dynamodb" && strings.HasPrefix(in.TableName, "arn:"):
		return in.TableName
	case service == "dynamodb" && in.TableName != "":
		return a.arn(service, "table/"+in.TableName)
	}
	return ""
}

// tagged adds what a creation with tags needs beside its own action:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
func tagged(service string, form url.Values) []need {
	all := []need{{Action: service + ":" + form.Get("Action"), Resource: form.Get("TopicArn")}}
	has := func(prefix string) bool {
		for key := range form {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
		return false
	}
	creates := strings.HasPrefix(form.Get("Action"), "Create")
	switch {
	case service == "ec2" && has("TagSpecification."):
		all = append(all, need{Action: "ec2:CreateTags"})
	case service == "elasticloadbalancing" && creates && has("Tags.member."):
		all = append(all, need{Action: "elasticloadbalancing:AddTags"})
	}
	return all
}

// object reads a request to S3, whose actions are not named as its operations:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func object(r *http.Request) need {
	bucket, key, inside := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	inside = inside && key != ""
	for parameter := range q {
		// Other parameters choose another operation: ?tagging, ?acl, …
		if !slices.Contains([]string{"x-id", "uploads", "uploadId", "partNumber", "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "delete", "versionId"}, parameter) &&
			!strings.HasPrefix(parameter, "X-Amz-") && !strings.HasPrefix(parameter, "response-") {
			return unknown("s3", r)
		}
	}
	var action string
	switch {
	case inside && q.Has("versionId"):
		return unknown("s3", r) // its own actions, such as GetObjectVersion
	case inside && q.Has("uploadId") && r.Method == http.MethodGet:
		action = "ListMultipartUploadParts"
	case inside && q.Has("uploadId") && r.Method == http.MethodDelete:
		action = "AbortMultipartUpload"
	case inside:
		action = map[string]string{http.MethodGet: "GetObject", http.MethodHead: "GetObject", http.MethodPut: "PutObject", http.MethodPost: "PutObject", http.MethodDelete: "DeleteObject"}[r.Method]
	case bucket == "" && r.Method == http.MethodGet:
		return need{Action: "s3:ListAllMyBuckets"}
	case r.Method == http.MethodPost && q.Has("delete"):
		return need{"s3:DeleteObject", "arn:aws:s3:::" + bucket + "/*"}
	case q.Has("uploads"):
		action = "ListBucketMultipartUploads"
	default:
		action = map[string]string{http.MethodGet: "ListBucket", http.MethodHead: "ListBucket"}[r.Method]
	}
	if action == "" {
		return unknown("s3", r)
	}
	resource := "arn:aws:s3:::" + bucket
	if inside {
		resource += "/" + key
	}
	return need{"s3:" + action, resource}
}

// noted is what is written down of a need: not each object of a site.
func (n need) noted() need {
	bucket, key, inside := strings.Cut(strings.TrimPrefix(n.Resource, "arn:aws:s3:::"), "/")
	if folder, _, deeper := strings.Cut(key, "/"); inside && deeper && strings.HasPrefix(n.Action, "s3:") {
		n.Resource = "arn:aws:s3:::" + bucket + "/" + folder + "/*"
	}
	return n
}

// zones are the paths of Route 53 that are known; the group is the zone.
var zones = []struct {
	method, action string
	path           *regexp.Regexp
}{
	{http.MethodPost, "ChangeResourceRecordSets", regexp.MustCompile(`^/2013-04-01/hostedzone/([A-Z0-9]+)/rrset/?$`)},
	{http.MethodGet, "ListResourceRecordSets", regexp.MustCompile(`^/2013-04-01/hostedzone/([A-Z0-9]+)/rrset/?$`)},
	{http.MethodGet, "GetHostedZone", regexp.MustCompile(`^/2013-04-01/hostedzone/([A-Z0-9]+)$`)},
	{http.MethodGet, "ListTagsForResource", regexp.MustCompile(`^/2013-04-01/tags/hostedzone/([A-Z0-9]+)$`)},
	{http.MethodPost, "ListTagsForResources", regexp.MustCompile(`^/2013-04-01/tags/hostedzone()$`)},
	{http.MethodGet, "ListHostedZones", regexp.MustCompile(`^/2013-04-01/hostedzone()/?$`)},
	{http.MethodGet, "ListHostedZonesByName", regexp.MustCompile(`^/2013-04-01/hostedzonesbyname()$`)},
	{http.MethodGet, "GetChange", regexp.MustCompile(`^/2013-04-01/change/()[A-Z0-9]+$`)},
}

func zone(r *http.Request) need {
	for _, z := range zones {
		if match := z.path.FindStringSubmatch(r.URL.Path); match != nil && r.Method == z.method {
			n := need{Action: "route53:" + z.action}
			if match[1] != "" {
				n.Resource = "arn:aws:route53:::hostedzone/" + match[1]
			}
			return n
		}
	}
	return unknown("route53", r)
}
