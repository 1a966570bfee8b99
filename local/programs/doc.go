// Package programs builds the programs of the local system from their Go modules: the Kubernetes control
// plane, flux-operator and the Flux controllers, the AWS Load Balancer Controller, external-dns and the
// External Secrets Operator.
//
// Each program has a directory here with a go.mod and go.sum of its own, so that their Kubernetes versions
// do not meet, and so that every dependency is pinned and checked by the go command. A finished binary is
// cached under a hash of everything that went into it; Go's own build cache may be thrown away.
//
// Where a module cannot be built, or not be run beside others on one machine, as it is, [Build] works on a
// copy of its verified source with the few edits that programs.go names; exceptions.go lists those and every
// other difference from what runs on AWS, each with its reason.
package programs
