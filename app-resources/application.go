package appresources

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/nag"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/services"
)

// Application is an application with an AWS half. Its stack is <environment>-<name>, and is there before the
// application's pods.
type Application struct {
	// Name of the application, in lower case letters, digits and hyphens. No service has it.
	Name string
	// Title is its name for people.
	Title string
	// After are the applications whose stacks come before, by name.
	After []string
	// Make makes everything in the scope, the stack of one environment.
	Make func(scope constructs.Construct, env config.Environment, network Network) Made
	// Accepted are the findings of cdk-nag that are right for the application, each with its reason; none by default. Their stack
	// is the application's.
	Accepted func(env config.Environment) []nag.Suppression
}

// Made is what others need to know of an application.
type Made struct {
	// Identities are the roles of its pods.
	Identities []podidentity.Identity
	// Images are its image repositories, by name, whose tags Flux follows.
	Images []string
	// Rotations are the functions that bring new passwords into its pods.
	Rotations []Rotation
}

// Rotation is a function that starts the pods of a namespace anew, and the role that it has.
type Rotation struct{ Namespace, RoleARN string }

var registered []Application

// Register adds an application to every environment. A file of this package calls it from its init; no other file is edited.
func Register(a Application) {
	if slices.ContainsFunc(registered, func(other Application) bool { return other.Name == a.Name }) {
		panic(fmt.Sprintf("app-resources: application %s is registered twice", a.Name)) //nolint:forbidigo // a mistake in this package, found by any start
	}
	registered = append(registered, a)
}

// Check fails for a service that has the name of an application: both would be the stack <environment>-<name>.
func Check(all []services.Service) error {
	var problems config.Problems
	for _, s := range all {
		if slices.ContainsFunc(registered, func(a Application) bool { return a.Name == s.Name }) {
			problems = append(problems, config.Problem{
				File: s.File, What: fmt.Sprintf("must not have the name of an application in app-resources, got %q", s.Name), Remedy: "rename the file",
			})
		}
	}
	return problems.Err()
}

// Applications are those that are registered, by name.
func Applications() []Application {
	all := slices.Clone(registered)
	slices.SortFunc(all, func(a, b Application) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
