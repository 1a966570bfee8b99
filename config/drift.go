package config

import (
	"regexp"
	"strings"
)

// Drift is how an environment is watched for what differs from the repository: `gitops drift` by a schedule, which tells `delivery.notify` of a difference once, and when it is over.
type Drift struct {
	// When it looks, as [EventBridge](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html) has it, in UTC: hours or days, or `cron(…)` with one number of minutes; or `off`. A look is a build of a few minutes. It needs pipelines.
	Schedule string `json:"schedule" default:"rate(6 hours)" example:"\"cron(0 5 * * ? *)\""`
	// Whether the schedule's look also [puts back](guides/drift.md#repair) what it can without anybody's data: objects by Flux, resources of stacks by CloudFormation. Its build may then change stacks and ask Flux.
	Repair bool `json:"repair" default:"false"`
}

// DriftOff is the schedule of an environment that nobody watches.
const DriftOff = "off"

// WatchesDrift reports whether a schedule looks for what differs.
func (e Environment) WatchesDrift() bool { return e.Delivers() && e.Drift.Schedule != DriftOff }

// VerifyGroup is the Kubernetes group of whoever may read Flux's objects and events, and nothing else.
const VerifyGroup = "gitops:verify"

// ViewGroup is the Kubernetes group of cluster.viewers, who may look at Flux's objects beside what AmazonEKSViewPolicy has.
const ViewGroup = "gitops:view"

// DriftGroup is the Kubernetes group of whoever may list what `gitops drift` looks at.
const DriftGroup = "gitops:drift"

// schedule is what the rule takes. EventBridge also knows minutes, in which a look would not have ended, and writes the unit of 1
// without an s.
var schedule = regexp.MustCompile(`^(rate\((1 (hour|day)|([2-9]|[1-9][0-9]{1,3}) (hours|days))\)|cron\([0-9]{1,2}( [0-9A-Z*?,/#LW-]+){5}\))$`)

// checkDrift checks how an environment is watched.
func checkDrift(f field, e Environment) {
	at, s := f.key("schedule"), e.Drift.Schedule
	if s == DriftOff {
		if e.Drift.Repair {
			f.key("repair").add("set a schedule, or leave repair out; by hand it is gitops drift --repair", "must be false without a schedule, by which it would run")
		}
		return
	}
	if !schedule.MatchString(s) {
		at.add(`write for example "rate(6 hours)", "rate(1 day)" or "cron(0 5 * * ? *)", or "off"`, "must be a schedule of EventBridge in hours or days, got %q", s)
		return
	}
	if inner, cron := strings.CutPrefix(s, "cron("); cron {
		if fields := strings.Fields(strings.TrimSuffix(inner, ")")); (fields[2] == "?") == (fields[4] == "?") {
			at.add(`write ? for the day of the month, or for that of the week, for example "cron(0 5 * * ? *)"`, "must leave one of the two days to the other, got %q", s)
		}
	}
}
