package why

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Logs is the audit log of an EKS control plane in CloudWatch Logs.
type Logs struct {
	API cloudwatchlogs.FilterLogEventsAPIClient
	// Group is /aws/eks/<cluster>/cluster:
	// https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
	Group string
}

// around is how far an event may be from the time in managedFields, which has no fractions of seconds.
const around = 5 * time.Second

// pagesRead bounds how much of a log is read: an empty page says nothing of the next.
const pagesRead = 50

// Writes implements Audit.
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
			if r, ok := parseAudit(aws.ToString(e.Message)); ok {
				all = append(all, r)
			}
		}
	}
	return all, nil
}
