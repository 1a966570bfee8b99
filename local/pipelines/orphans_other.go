//go:build !linux

package pipelines

// endBuild cannot find the processes of a build here: the environment of
// another process is not readable. The CDK CLI that goes on is waited for by
// the next one, which finds its stack busy.
func endBuild(string) {}
