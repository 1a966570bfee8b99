// Package rehearsals holds pull requests that pass check, test and review, and what a rehearsal says of each: `make rehearsals`.
// Its tests run with the build tag e2e.
package rehearsals
