# `make help` lists the targets. Everything that is installed lands in
# node_modules/, bin/, out/ or the build cache outside the checkout.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-builtin-rules

# The CDK CLI and node 24 come from package.json, so no global install is used.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := true

ENV   ?= dev
CDK    = node_modules/.bin/cdk
GOLANGCI = $$(go -C tools/golangci-lint tool -n golangci-lint)

APP_SOURCES    := go.mod go.sum $(filter-out %_test.go,$(wildcard *.go)) $(shell find config infrastructure app-resources internal \( -name '*.go' -o -name '*.json' \) -not -name '*_test.go' -not -path 'internal/manifests/*' -not -path 'internal/review/*' -not -path 'internal/services/*')
SERVICES_SOURCES := go.mod go.sum $(shell find k8s/services internal/services internal/pathfilter config -name '*.go' -not -name '*_test.go')
GITOPS_SOURCES := go.mod go.sum $(shell find cmd local internal -type f \( -name '*.go' -o -name '*.mod' -o -name '*.sum' -o -name '*.py' -o -name '*.txt' -o -name '*.json' -o -name '*.mjs' -o -name '*.yaml' \) -not -name '*_test.go' -not -path '*/testdata/*' 2>/dev/null) $(shell find config -name '*.go' -not -name '*_test.go')

##@ General

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_-]+:.*##/ {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

##@ The whole system on this machine

.PHONY: local local-down local-reset
local: bin/gitops bin/services ## Bring the whole system up here: no AWS account, no Docker.
	@bin/gitops local up

local-down: bin/gitops ## Stop it and keep its state.
	@bin/gitops local down

local-reset: bin/gitops ## Stop it and remove its state.
	@bin/gitops local reset --yes

##@ AWS

.PHONY: synth diff deploy
synth: node_modules/.package-lock.json bin/app ## Synthesize every environment into cdk.out.
	@$(CDK) synth --quiet --no-lookups '**'

diff: node_modules/.package-lock.json bin/app ## Show what ENV=dev would change in AWS.
	@$(CDK) diff --context env=$(ENV) '$(ENV)/*'

deploy: node_modules/.package-lock.json bin/app ## Deploy ENV=dev to AWS.
	@$(CDK) deploy --context env=$(ENV) '$(ENV)/*'

##@ Development

.PHONY: check check-fast test e2e bench golden imports fmt clean
check: node_modules/.package-lock.json bin/app bin/gitops bin/services ## Format, vet, lint, golden files, synth with validation and cdk-nag, manifests.
	@hack/check

check-fast: ## Vet and test the configuration and what the stacks are made of: what a local push waits for.
	@go vet . ./config ./app-resources ./infrastructure/...
	@go test ./config ./internal/buildspec ./dockerbuild

test: node_modules/.package-lock.json ## Run the tests that need no running system.
	@go test -timeout 60m ./...

e2e: bin/gitops node_modules/.package-lock.json ## Prove the whole loop in a scratch state directory; writes out/e2e.json.
	@go test -tags e2e -count 1 -timeout 240m -v ./test/e2e/...

bench: bin/gitops node_modules/.package-lock.json ## Measure synth beside a peer, and a fleet of services; writes out/bench.json.
	@bench/run

golden: node_modules/.package-lock.json ## Rewrite the golden files from the code.
	@go test -count 1 . ./config ./internal/review ./internal/promotion ./k8s/services -update

imports: ## Regenerate k8s/services/imports, the Go types of Kubernetes and of custom resources.
	@hack/imports

fmt: ## Format the code.
	@$(GOLANGCI) fmt

clean: ## Remove what was built in this checkout; keeps the local system's state.
	@rm -rf bin out cdk.out node_modules

# --- files ---------------------------------------------------------------

# Without the symbol table and DWARF a binary is a third smaller and links faster;
# the traces of panics keep functions and lines. `make GO_BUILD="go build"` is for
# a debugger.
GO_BUILD ?= go build -ldflags '-s -w'

# A recipe that begins with this says what is missing, and how to get it.
need_go := command -v go >/dev/null || { echo 'go is not on the PATH: install Go 1.26 or later, https://go.dev/dl' >&2; exit 1; };
need_npm := command -v npm >/dev/null || { echo 'npm is not on the PATH: install Node.js 20 or later, https://nodejs.org (Debian: apt-get install nodejs npm)' >&2; exit 1; };

bin/app: $(APP_SOURCES)
	@$(need_go) mkdir -p bin && $(GO_BUILD) -o $@ .

bin/services: $(SERVICES_SOURCES)
	@$(need_go) mkdir -p bin && $(GO_BUILD) -o $@ ./k8s/services

bin/gitops: $(GITOPS_SOURCES)
	@$(need_go) mkdir -p bin && $(GO_BUILD) -o $@ ./cmd/gitops

# npm ci keeps to package-lock.json; the marker is npm's own.
node_modules/.package-lock.json: package.json package-lock.json
	@$(need_npm) npm ci --no-fund --no-audit --loglevel=error
	@touch $@
