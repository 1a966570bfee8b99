package config

import (
	"regexp"
	"slices"
	"strings"
)

// Cost is what `delivery.notify` is told of [what the environment costs](guides/day-two.md#what-it-costs-so-far). It needs pipelines, whose topic tells, and the tag `environment` as a cost allocation tag.
type Cost struct {
	// Budget of a month in whole US dollars, of all that has the environment's tag: told of at 80 and 100 percent, and when AWS forecasts that a month will exceed it. 0 is none.
	Budget int `json:"budget" default:"0" example:"500"`
	// What AWS watches for unusual spending: `environment`, what has its tag, which only a management account or one without an organization can; `account`, each service of the account by itself, of which an account has one monitor; a monitor of the account that is there already, by its ARN; or `none`.
	Anomalies string `json:"anomalies" default:"none" example:"\"account\""`
	// From how many US dollars above what was expected an anomaly is told of.
	AnomaliesFrom int `json:"anomaliesFrom" default:"50" example:"10"`
}

// What watches for unusual spending; else it is the ARN of a monitor.
const (
	NoAnomalies            = "none"
	AnomaliesOfEnvironment = "environment"
	AnomaliesOfAccount     = "account"
)

// Budgets reports whether the environment has a budget. Its pipelines' topic tells of it.
func (e Environment) Budgets() bool { return e.Delivers() && e.Cost.Budget > 0 }

// FindsAnomalies reports whether people are told of unusual spending, by the topic of the pipelines.
func (e Environment) FindsAnomalies() bool { return e.Delivers() && e.Cost.Anomalies != NoAnomalies }

// monitorARN: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscostexplorerservice.html
var monitorARN = regexp.MustCompile(`^arn:aws:ce::[0-9]{12}:anomalymonitor/[0-9a-f-]{36}$`)

// CloudFormation makes budgets in budgetRegions alone, and monitors of anomalies everywhere but in noAnomalies, as its schemas by
// region say. AWS keeps both for the whole account, so where a stack cannot make one, the console can.
var (
	budgetRegions = strings.Fields("ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2")
	noAnomalies   = strings.Fields("ap-east-2 ap-southeast-5 ap-southeast-6 ap-southeast-7 mx-central-1")
)

// BudgetsIn reports whether CloudFormation makes budgets in a region.
func BudgetsIn(region string) bool { return slices.Contains(budgetRegions, region) }

// AnomaliesIn reports whether CloudFormation makes monitors of anomalies, and who is told of them, in a region.
func AnomaliesIn(region string) bool { return !slices.Contains(noAnomalies, region) }

// checkCost checks what is told of cost.
func checkCost(f field, e Environment) {
	c := e.Cost
	f.key("budget").between(c.Budget, 0, 100_000_000)
	f.key("anomaliesFrom").between(c.AnomaliesFrom, 1, 1_000_000)
	const byHand = "leave it out, and make it in the console of Billing and Cost Management"
	if c.Budget > 0 && e.Partition() == "aws" && !BudgetsIn(e.Region) {
		f.key("budget").add(byHand, "must be left out in %s, where CloudFormation makes no budget", e.Region)
	}
	if c.Anomalies != NoAnomalies && !AnomaliesIn(e.Region) {
		f.key("anomalies").add(byHand, "must be left out in %s, where CloudFormation makes no monitor and tells nobody of one", e.Region)
	}
	switch {
	case (c.Budget > 0 || c.Anomalies != NoAnomalies) && e.Partition() != "aws":
		f.add("leave it out", "must be left out in partition %s, whose cost AWS keeps elsewhere", e.Partition())
	case strings.HasPrefix(c.Anomalies, "arn:"):
		at := f.key("anomalies")
		if !monitorARN.MatchString(c.Anomalies) {
			at.add("give what aws ce get-anomaly-monitors shows as MonitorArn", "must be a monitor of Cost Anomaly Detection, got %q", c.Anomalies)
		} else if owner := strings.Split(c.Anomalies, ":")[4]; owner != e.Account {
			at.add("name one of account "+e.Account, "must belong to the environment's account, got one of account %s", owner)
		}
	default:
		f.key("anomalies").oneOf(c.Anomalies, NoAnomalies, AnomaliesOfEnvironment, AnomaliesOfAccount)
	}
}

// checkMonitors checks that one environment of an account has its monitor: AWS allows no second one of services.
// https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html
func checkMonitors(f field, a, b Environment) {
	if a.Account == b.Account && a.Cost.Anomalies == AnomaliesOfAccount && b.Cost.Anomalies == AnomaliesOfAccount {
		f.add("let one environment of the account watch it", "must not be %q in two environments of account %s, the other is %s", AnomaliesOfAccount, b.Account, a.Name)
	}
}
