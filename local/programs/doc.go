// Package programs builds the programs of the local system: the Kubernetes control plane, flux-operator and the Flux
// controllers, the AWS Load Balancer Controller, external-dns and the External Secrets Operator.
//
// All are built from the one go.mod in set, so that a package that several need is compiled once; every dependency is
// pinned there and checked by the go command. A finished binary is cached under a hash of everything that went into
// it; Go's own build cache may be thrown away.
//
// Where a module cannot be built from the set, or not be run beside others on one machine, as it is, [Build] works on
// a copy of its verified source with the few edits that table.go names. differences.md lists those, and the modules
// that run in another version than in the released program.
//
// Where the digest of a released image is recorded in images.lock and a registry gives the image, most programs are taken out of
// it instead: [Source].
package programs

//go:generate go run k8s-plus-aws-gitops/local/programs/tidy
