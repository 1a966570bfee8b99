// Package engine is the CloudFormation service of the local loop: it keeps
// stacks and change sets, evaluates templates and drives resource handlers
// (package resources) through create, update, rollback and delete, in the
// order and with the events that the real service shows.
//
// It promises what this project's templates and the CDK CLI use. What it does
// not know, it refuses by name when a change set is created, so that nothing
// is half-made: resource types and properties without a handler, transforms,
// hooks, nested stacks, creation policies.
//
// Where it differs from the service on purpose:
//
//   - resources are handled one after another, in dependency order and then by
//     logical ID, so that two runs of one template behave alike;
//   - the deletion policy Snapshot leaves one of a database alone; all else is
//     deleted, and the event says so;
//   - a change of anything in the template, a description included, is a
//     change;
//   - ImportExistingResources imports nothing: a resource whose name is taken
//     fails, and the change set rolls back;
//   - the stack status reason keeps the cause of a rollback after it ended.
//
// The semantics follow the CloudFormation User Guide,
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/ .
package engine
