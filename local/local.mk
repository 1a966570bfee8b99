# Targets of the folder local, which the Makefile includes; paths are those of the root.

LOCAL_SOURCES := $(GITOPS_SOURCES) local/go.mod local/go.sum $(shell find local -type f \( -name '*.go' -o -name '*.py' -o -name '*.txt' -o -name '*.json' -o -name '*.mjs' -o -name '*.yaml' \) -not -name '*_test.go' -not -path '*/testdata/*' -not -path 'local/programs/*/*' -not -path 'local/bench/*')

##@ The whole system on this machine

.PHONY: local local-down local-reset e2e faults rehearsals check-local test-local bench-local golden-local
local: bin/gitops bin/gitops-local bin/services ## Bring the whole system up here: no AWS account, no Docker.
	@bin/gitops local up

local-down: bin/gitops bin/gitops-local ## Stop it and keep its state.
	@bin/gitops local down

local-reset: bin/gitops bin/gitops-local ## Stop it and remove its state.
	@bin/gitops local reset --yes

e2e: bin/gitops bin/gitops-local node_modules/.package-lock.json ## Prove the whole loop in a scratch state directory; writes out/e2e.json.
	@go -C local test -tags e2e -count 1 -timeout 240m -v ./test/e2e/...

faults: bin/gitops bin/gitops-local node_modules/.package-lock.json ## Break a system of its own as the second month does; writes out/faults.json. CI does not run it.
	@TEST_FAULTS=1 go -C local test -tags e2e -count 1 -timeout 240m -v -run '^TestFaults$$' ./test/e2e

rehearsals: bin/gitops bin/gitops-local node_modules/.package-lock.json ## Rehearse good and bad pull requests; writes out/rehearsals.json. CI does not run it.
	@go -C local test -tags e2e -count 1 -timeout 240m -v ./test/rehearsals

# --- its part of the targets of the same names ---------------------------

check: check-local
check-local: bin/gitops-local
	@hack/check -C local format vet lint tidy names

test: test-local
test-local: node_modules/.package-lock.json
	@go -C local test -timeout 60m ./...

bench: bench-local
bench-local: node_modules/.package-lock.json
	@local/bench/run

golden: golden-local
golden-local:
	@go -C local test -count 1 ./versions -update

bin/gitops-local: $(LOCAL_SOURCES)
	@$(need_go) mkdir -p bin && cd local && $(compile) ../$@ ./cmd/gitops-local $(GO_FLAGS)
