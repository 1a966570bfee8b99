// Package dashboard serves a page on this machine that shows environments side by side, and a page for each application. It
// changes nothing, in AWS, in a cluster or in a repository: it shows what `gitops status` and `gitops service` read.
package dashboard

import (
	"time"

	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/status"
)

// Environment is one at one time. A part that could not be read is missing, and Unread says why.
type Environment struct {
	Name string `json:"name"`
	// Read is when it was.
	Read time.Time `json:"read"`
	// Account, Region, Domain and Branch are those of cdk.json.
	Account string `json:"account"`
	Region  string `json:"region"`
	Domain  string `json:"domain"`
	Branch  string `json:"branch"`
	// Status is that of the released commit, or of the one that the cluster has where the branch cannot be read.
	Status *status.Status `json:"status,omitempty"`
	// Commit is the one that Status is of.
	Commit *Commit `json:"commit,omitempty"`
	// Coming is the last execution's, where it brings another one.
	Coming *Coming `json:"coming,omitempty"`
	// Executions of the pipeline, the last one first.
	Executions []deployment.Execution `json:"executions,omitempty"`
	// Services of the fleet.
	Services []Service `json:"services,omitempty"`
	// Workloads of the whole cluster.
	Workloads []flux.Workload `json:"workloads,omitempty"`
	// Details by application, of those that were asked for.
	Details map[string]Detail `json:"details,omitempty"`
	Price   *Price            `json:"price,omitempty"`
	Unread  map[string]string `json:"unread,omitempty"`
}

// Commit as Git has it. All but the ID is empty where the clone does not have it.
type Commit struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject,omitempty"`
	Author  string    `json:"author,omitempty"`
	Time    time.Time `json:"time,omitzero"`
}

// Coming is a commit on its way.
type Coming struct {
	Commit
	Pipeline *status.Pipeline `json:"pipeline"`
}

// Service of the fleet: what its file says, and what became of it.
type Service struct {
	services.Summary
	State publish.State `json:"state"`
	// AWS names what it has there: database, bucket.
	AWS []string `json:"aws,omitempty"`
	// CPU and Memory that its file asks for; empty: the default.
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
}

// Detail is what only the page of an application shows.
type Detail struct {
	Pods []flux.Pod `json:"pods,omitempty"`
	// Resources of its stack.
	Resources []Resource        `json:"resources,omitempty"`
	Unread    map[string]string `json:"unread,omitempty"`
}

// Resource of a stack.
type Resource struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Status string `json:"status"`
	Cause  string `json:"cause,omitempty"`
	// Paid is true for what a bill has: databases, buckets, queues; false for roles, policies, rules.
	Paid bool `json:"paid"`
}

// Price is what the stacks cost by list.
type Price struct {
	// Monthly in Currency, of the Region's list of Date.
	Monthly  float64 `json:"monthly"`
	Currency string  `json:"currency"`
	Region   string  `json:"region"`
	Date     string  `json:"date"`
	// Unknown counts what has no price in the table.
	Unknown int `json:"unknown,omitempty"`
}

// The parts of an environment that are not status.Parts.
const (
	partAccount    = "account"
	partCommit     = "commit"
	partExecutions = "executions"
	partFleet      = "fleet"
	partPublished  = "published"
	partServices   = "services"
	partWorkloads  = "workloads"
	partPrice      = "price"
	partPods       = "pods"
	partResources  = "resources"
)

// Question says what to read beside what every page shows.
type Question struct {
	// Applications whose details are wanted.
	Applications []string
	// Price is wanted: it takes a call for each stack.
	Price bool
}
