# `make` alone prints the targets. Go and make are enough for run, build and test;
# verify installs the real peers it needs.

GO       ?= go
export CGO_ENABLED := 0
# SDKs are generated code, of which a turn calls hardly any: not inlining within them
# takes 560 KB off the zip of chat.
SMALL    := $(foreach sdk,openai/openai-go/v3 anthropics/anthropic-sdk-go aws/aws-sdk-go-v2 aws/smithy-go,-gcflags 'github.com/$(sdk)/...=-l')
LAMBDA   := -trimpath -tags lambda.norpc -ldflags "-s -w" $(SMALL)

.DEFAULT_GOAL := help
.PHONY: help run build test race vet fmt fuzz verify bench crash isolation mutants scale clean build-AuthorizerFunction build-ChatFunction build-RollupFunction build-TenantAdminFunction

help: ## List the targets
	@awk -F ':.*## ' '/^[a-zA-Z_-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Serve the example companies on http://127.0.0.1:8080, with keys and a curl line
	bin/switchboard serve --dev

build: ## Build bin/switchboard
	$(GO) build -trimpath -ldflags "-s -w" -o bin/switchboard ./functions/switchboard

test: vet ## All tests that need Go alone
	$(GO) test -count=1 -shuffle=on ./...

race: ## The same with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -count=1 -race -shuffle=on ./...

vet: ## Format and vet
	@test -z "$$(gofmt -l functions shared company-integrations)" || { gofmt -l functions shared company-integrations; echo "gofmt the files above"; exit 1; }
	$(GO) vet ./...

fmt: ## Format the code
	gofmt -w functions shared company-integrations

fuzz: ## Fuzz each target for FUZZTIME (10s)
	infra/verify/fuzz.sh $(or $(FUZZTIME),10s)

verify: ## Against the real peers: race detector, DynamoDB Local, redis-server, SAM and cfn-lint
	infra/verify/verify.sh

bench: ## Measure turns beside a bare reverse proxy; prints medians and ratios
	$(GO) run ./shared/app/apptest/bench

crash: ## Kill the server ROUNDS (100) times under load; every acknowledged turn has to be there
	$(GO) test -count=1 -run TestKill ./functions/switchboard -rounds $(or $(ROUNDS),100) -v

isolation: ## Attack across tenants; prints a line for each class (ATTEMPTS=100000, SEED=1)
	$(GO) test -count=1 -v ./shared/isolationtest -attempts $(or $(ATTEMPTS),100000) -samples $(or $(SAMPLES),5000) -seed $(or $(SEED),1)

mutants: ## Break the product one defect at a time; the test that each defect names has to fail
	$(GO) run ./shared/isolationtest/mutants

scale: ## One process with COMPANIES (1000) companies of ten assistants each, beside one with four
	$(GO) test -count=1 -v -run TestManyCompanies ./shared/app/apptest -companies $(or $(COMPANIES),1000) -turns $(or $(TURNS),3000) -open $(or $(OPEN),0)

clean: ## Remove what was built, fetched and stored here
	rm -rf bin .aws-sam .peers .data

# What `sam build` calls for the function of this name.
build-AuthorizerFunction:
	GOOS=linux GOARCH=arm64 $(GO) build $(LAMBDA) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/authorizer

build-ChatFunction:
	GOOS=linux GOARCH=arm64 $(GO) build $(LAMBDA) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/chat

build-RollupFunction:
	GOOS=linux GOARCH=arm64 $(GO) build $(LAMBDA) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/rollup

build-TenantAdminFunction:
	GOOS=linux GOARCH=arm64 $(GO) build $(LAMBDA) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/tenant-admin
