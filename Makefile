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

# Everything that a program is made of, with what it embeds.
sources = $(shell find $(1) -type f -not -name '*_test.go' -not -path '*/testdata/*')

# Folders that the app imports; a test of config holds the list to the imports.
APP_PACKAGES := app-resources config infrastructure internal/buildspec internal/cachedir internal/construct internal/logicalid internal/nag internal/pathfilter internal/podidentity internal/policy internal/rdsca internal/retention internal/services internal/signature internal/validation
APP_SOURCES  := go.mod go.sum $(filter-out %_test.go,$(wildcard *.go)) $(call sources,$(APP_PACKAGES))
FUNCTION_SOURCES := go.mod go.sum $(call sources,functions internal/awsclient internal/eks internal/httpbody internal/rdsca)
SERVICES_SOURCES := go.mod go.sum $(call sources,services internal/services internal/pathfilter config)
GITOPS_SOURCES := go.mod go.sum $(call sources,cmd functions internal config)

##@ General

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_-]+:.*##/ {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

##@ AWS

.PHONY: bootstrap synth diff doctor deploy
bootstrap: node_modules/.package-lock.json bin/gitops ## Prepare the account and region of ENV=dev: what CloudFormation may do, the CDK's roles.
	@hack/bootstrap $(ENV)

synth: node_modules/.package-lock.json bin/app ## Synthesize every environment into cdk.out.
	@$(CDK) synth --quiet --no-lookups '**'

diff: node_modules/.package-lock.json bin/app ## Show what ENV=dev would change in AWS.
	@$(CDK) diff --context env=$(ENV) '$(ENV)/*'

doctor: bin/gitops ## Say what ENV=dev lacks, here and in AWS, and what mends it.
	@bin/gitops doctor $(ENV)

deploy: node_modules/.package-lock.json bin/app ## Deploy ENV=dev to AWS.
	@$(CDK) deploy --context env=$(ENV) '$(ENV)/*'

##@ Development

# What ends in -product is of the platform alone: a deployment's Test stage runs it. check, test, bench and golden are of
# all that the checkout has: what the included files below add comes after.
.PHONY: check check-product check-fast test test-product bench bench-product generate golden golden-product imports fmt clean
check: check-product ## Format, vet, lint, golden files, synth with validation and cdk-nag, manifests.

check-product: node_modules/.package-lock.json bin/app bin/gitops bin/services
	@hack/check

check-fast: ## Vet and test the configuration and what the stacks are made of: what a local push waits for.
	@go vet . ./config ./app-resources ./infrastructure/...
	@go test ./config ./internal/buildspec ./dockerbuild

test: test-product ## Run the tests that need no running system.

test-product: node_modules/.package-lock.json
	@go test -timeout 60m ./...

bench: bench-product ## Measure what people wait for beside a peer; writes out/bench.json.

bench-product: bin/gitops node_modules/.package-lock.json
	@bench/run

generate: bin/gitops ## Write what follows from cdk.json and the services: entry points of Flux, the fleet.
	@bin/gitops generate

golden: golden-product ## Rewrite the golden files from the code.

golden-product: node_modules/.package-lock.json
	@go test -count 1 . ./config ./internal/environment ./internal/review ./internal/review/risk ./internal/promotion ./internal/services/fleet ./internal/versions ./services -update

imports: ## Regenerate services/imports, the Go types of Kubernetes and of custom resources.
	@hack/imports

fmt: ## Format the code.
	@$(GOLANGCI) fmt

clean: ## Remove what was built in this checkout; keeps the local system's state.
	@rm -rf bin out cdk.out node_modules

# --- files ---------------------------------------------------------------

# Without the symbol table and DWARF a binary is a third smaller and compiles faster; the
# traces of panics keep functions and lines. The laboratory's programs are compiled with the
# same flags, so that what is compiled for the one serves the other. `make GO_FLAGS=` is for
# a debugger.
# Kustomize's plugins in Go, which nothing here has, would need gcc to link: twice the time.
GO_FLAGS ?= -trimpath -gcflags=all=-dwarf=false -ldflags=-s\ -w -tags=kustomize_disable_go_plugin_support
compile := $(CURDIR)/hack/compile

# A recipe that begins with this says what is missing, and how to get it.
need_go := command -v go >/dev/null || { echo 'go is not on the PATH: install Go 1.26 or later, https://go.dev/dl' >&2; exit 1; };
need_npm := command -v npm >/dev/null || { echo 'npm is not on the PATH: install Node.js 20 or later, https://nodejs.org (Debian: apt-get install nodejs npm)' >&2; exit 1; };

# Functions are compiled for Lambda, wherever this runs; cgo is off, so no compiler of C is needed. The app only packs the
# result, so it need not be compiled anew.
bin/app: $(APP_SOURCES) | bin/functions/alerts/bootstrap bin/functions/database/bootstrap
	@$(need_go) mkdir -p bin && $(compile) $@ . $(GO_FLAGS)

bin/functions/%/bootstrap: $(FUNCTION_SOURCES)
	@$(need_go) mkdir -p $(@D) && GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(compile) $@ ./functions/$* -tags=lambda.norpc -trimpath -ldflags=-s\ -w

bin/services: $(SERVICES_SOURCES)
	@$(need_go) mkdir -p bin && $(compile) $@ ./services $(GO_FLAGS)

bin/gitops: $(GITOPS_SOURCES)
	@$(need_go) mkdir -p bin && $(compile) $@ ./cmd/gitops $(GO_FLAGS)

# npm ci keeps to package-lock.json; the marker is npm's own.
node_modules/.package-lock.json: package.json package-lock.json
	@$(need_npm) npm ci --no-fund --no-audit --loglevel=error
	@touch $@

# The whole system on one machine. It needs everything above, and nothing above needs it.
-include local/local.mk
