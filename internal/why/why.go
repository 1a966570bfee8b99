// Package why answers how one thing of an environment came to be as it is: the object of Flux or the stack that made it, the file
// and the commit that say so, the pull request and who reviewed it, the pipeline's execution and who approved it, the image and
// its build. It changes nothing, and says of each thing that it cannot know why.
package why

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cause"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// Answer says how one thing came to be as it is.
type Answer struct {
	Environment string `json:"environment"`
	// Object names it: "Deployment ghost/ghost", "dev-ghost/GhostMySQLDatabaseE30388B3".
	Object string `json:"object"`
	// Resource is what CloudFormation says of a stack's resource.
	Resource *Resource `json:"resource,omitempty"`
	// Made is by what it was made, the nearest first: a pod is made by a ReplicaSet, and that by a Deployment.
	Made []string `json:"made,omitempty"`
	// Applied is the object of Flux that applied the last of them.
	Applied *Applied `json:"applied,omitempty"`
	// Files are where the repository says so.
	Files []File `json:"files,omitempty"`
	// Commit is the last one that changed the files, up to the one that is applied; of a stack's resource the deployed one.
	Commit *Commit `json:"commit,omitempty"`
	// Others are what the same execution brought beside Commit, where it is not known which of them changed a resource.
	Others []Commit `json:"others,omitempty"`
	// Pull is the pull request that brought the commit.
	Pull *Pull `json:"pullRequest,omitempty"`
	// Execution is the first of the pipeline that brought the commit.
	Execution *Execution `json:"execution,omitempty"`
	Images    []Image    `json:"images,omitempty"`
	Fields    []Field    `json:"fields,omitempty"`
	// Unknown is what could not be found, and why.
	Unknown []Unknown `json:"unknown,omitempty"`
}

// Unknown is something that could not be found.
type Unknown struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// unknown notes that something could not be found.
func (a *Answer) unknown(what, format string, args ...any) {
	a.Unknown = append(a.Unknown, Unknown{what, cause.OneLine(fmt.Sprintf(format, args...))})
}

// Commit is one of the platform's repository.
type Commit struct {
	ID      string    `json:"id"`
	Author  string    `json:"author"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
}

// Source is where the answer comes from.
type Source struct {
	Env config.Environment
	// Root is the checkout, with the history of the branches.
	Root string
	// Tip returns the commit that Flux's branch is at and has it in the checkout; empty when there is no branch.
	Tip func(ctx context.Context) (string, error)
	// Kubernetes is the environment's cluster; nil where only stacks are asked about.
	Kubernetes *Kubernetes
	// AWS are its APIs.
	AWS AWS
	// Forge asks GitHub; nil where there is no token, and NoForge says why.
	Forge   *forge.Client
	NoForge string
	// Published reads what a service's branch was published from.
	Published func(ctx context.Context, service string) (publish.Tip, error)
	// Builds is the pipeline that builds images; empty where the environment has none.
	Builds string
	// Outside names the program that serves the environment in the place of AWS; empty: it is in AWS.
	Outside string
}

// delivery fills in how a commit came: its pull request, and the execution that brought it.
func (s *Source) delivery(ctx context.Context, a *Answer) {
	if a.Commit == nil {
		return
	}
	s.pull(ctx, a)
	if a.Execution == nil {
		s.bringing(ctx, a)
	}
}

// reason says in one line why something was not found.
func reason(err error) string { return cause.Of(err, "docs/guides/why.md") }

// short is a revision of Flux without its branch: "released/dev@sha1:<commit>".
func short(revision string) string { return revision[strings.LastIndex(revision, ":")+1:] }

// platform is the source that all of the platform's Kustomizations follow.
const platform = flux.Root
