// Package forks tests what a fork of this repository meets: it makes forks as the README says, and runs `make check` and
// `make test` of each, in parts.
//
// The parts are those that can depend on what differs between forks: cdk.json and what follows from it. Format, vet, lint,
// go.mod and the search for open notes read Go code and text, which a fork has as it is here, and the golden files are of
// the fixture.
package forks
