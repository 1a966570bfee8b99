// Package e2e proves the whole loop on this machine, from an empty state
// directory to a removed one: run it with `make e2e`. It works on a clone of
// the repository, so that the checkout and a running system stay as they are,
// and writes out/e2e.json and a table.
package e2e
