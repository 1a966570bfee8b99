// Package audit reads the audit log of a cluster's API server: who sent the request that wrote an object. managedFields know the
// program alone.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Request is one that the audit log has.
type Request struct {
	User string    `json:"user"`
	Verb string    `json:"verb"`
	Time time.Time `json:"time"`
	// Agent is the program, as it calls itself.
	Agent string `json:"agent,omitempty"`
	// From are the addresses that it came from.
	From []string `json:"from,omitempty"`
}

// Reader finds who wrote an object, at about a time.
type Reader interface {
	Writes(ctx context.Context, resource, namespace, name string, at time.Time) ([]Request, error)
}

// Logs is the audit log of an EKS control plane in CloudWatch Logs.
type Logs struct {
	API cloudwatchlogs.FilterLogEventsAPIClient
	// Group is config.ControlPlaneLogs of the cluster.
	Group string
}

// around is how far an event may be from the time in managedFields, which has no fractions of seconds.
const around = 5 * time.Second

// pagesRead bounds how much of a log is read: an empty page says nothing of the next.
const pagesRead = 50

// Writes implements Reader.
func (l Logs) Writes(ctx context.Context, resource, namespace, name string, at time.Time) ([]Request, error) {
	conditions := []string{
		`$.objectRef.resource = "` + resource + `"`, `$.objectRef.name = "` + name + `"`,
		`($.verb = "update" || $.verb = "patch" || $.verb = "create")`, `$.stage = "ResponseComplete"`,
	}
	if namespace != "" {
		conditions = append(conditions, `$.objectRef.namespace = "`+namespace+`"`)
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(l.API, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &l.Group, LogStreamNamePrefix: aws.String("kube-apiserver-audit"), FilterPattern: aws.String("{ " + strings.Join(conditions, " && ") + " }"),
		StartTime: aws.Int64(at.Add(-around).UnixMilli()), EndTime: aws.Int64(at.Add(around).UnixMilli()),
	})
	var all []Request
	for n := 0; pages.HasMorePages(); n++ {
		if n == pagesRead {
			return all, fmt.Errorf("%s: more than %d pages of events; look there by hand", l.Group, pagesRead)
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return all, err
		}
		for _, e := range page.Events {
			if r, ok := parse(aws.ToString(e.Message)); ok {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// event is what is read of an audit event: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
type event struct {
	Verb string `json:"verb"`
	User struct {
		Username string              `json:"username"`
		Extra    map[string][]string `json:"extra"`
	} `json:"user"`
	UserAgent string    `json:"userAgent"`
	SourceIPs []string  `json:"sourceIPs"`
	Received  time.Time `json:"requestReceivedTimestamp"`
	Status    struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// parse reads an event; false for a request that was refused.
func parse(text string) (Request, bool) {
	var e event
	if json.Unmarshal([]byte(text), &e) != nil || e.Status.Code >= 300 {
		return Request{}, false
	}
	r := Request{User: e.User.Username, Verb: e.Verb, Time: e.Received.UTC(), Agent: e.UserAgent, From: e.SourceIPs}
	// EKS notes the role's session, which names the person: https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html
	if arn := e.User.Extra["arn"]; len(arn) > 0 {
		r.User = arn[0]
	}
	return r, true
}
