# Development and deployment commands. `make demo` and `make test` need Rust, Python 3.10+ and a C compiler;
# all other tools are downloaded at pinned versions into .tools/.
.DEFAULT_GOAL := help
.PHONY: help demo up down test check fuzz bench chaos permissions stack-lifecycle build sbom audit deploy

CLOUD := python3 infra/local/cloud.py
# Cargo's profile for everything but AWS and the benchmark; Cargo.toml defines it.
PROFILE := --profile local
# Processor architecture of the functions for AWS: arm64 or x86_64.
ARCH ?= arm64
# Environment of samconfig.toml that `make deploy` uses: default, dev or prod.
STAGE ?= default

# The local cloud uses our simulator in place of TikTok. To use another stand-in (infra/local/local_tiktok.py):
#   make up TIKTOK_API_URL=http://127.0.0.1:8080
export TIKTOK_API_URL TIKTOK_UPLOAD_HOSTS TIKTOK_CLIENT_KEY TIKTOK_CLIENT_SECRET

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Post a video in the local cloud, from the bucket to its link on TikTok
	@$(CLOUD) demo

up: ## Start the local cloud and leave it running
	@$(CLOUD) up

down: ## Stop the local cloud
	@$(CLOUD) down

test: ## Run all tests; the scenarios use a local cloud
	cargo test --workspace --locked --doc $(PROFILE)
	@$(CLOUD) run -- cargo test --workspace --locked --lib --bins --tests $(PROFILE)

check: ## Check format, lints, documentation, dependencies, template, scripts and API contract
	cargo fmt --all --check
	cargo clippy --workspace --locked --all-targets $(PROFILE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps --document-private-items $(PROFILE)
	@$(CLOUD) check

fuzz: ## Fuzz the parsers of external input; FUZZ='--seconds 600 video' for one target
	@$(CLOUD) fuzz $(FUZZ)

bench: ## Measure the functions beside comparable programs on this machine; BENCH=--quick for a short run
	@$(CLOUD) bench $(BENCH)

chaos: ## Run the fault-injection campaigns, an hour or more; CHAOS=word for those with this word
	@$(CLOUD) run -- cargo test --workspace --locked --test chaos $(PROFILE) -- campaign $(CHAOS)

permissions: ## Find IAM permissions that the functions do not need; PERMISSIONS=word for those with this word
	@$(CLOUD) permissions $(PERMISSIONS)

stack-lifecycle: ## Update and delete a stack with posts, and check that no data is lost
	@$(CLOUD) stack-lifecycle

build: ## Build the functions for AWS, for ARCH=arm64 or x86_64
	@$(CLOUD) release $(ARCH)

sbom: ## List the crates in each function, for ARCH, into target/sbom
	@$(CLOUD) sbom $(ARCH)

audit: ## Check the dependencies against the RustSec advisory database, which is downloaded
	@$(CLOUD) audit

deploy: build ## Build, then deploy to AWS; STAGE=dev or prod, PARAMETERS='Name=value …', DEPLOY=--guided
	.tools/sam/bin/sam deploy --config-env $(STAGE) --parameter-overrides Architecture=$(ARCH) $(PARAMETERS) $(DEPLOY)
