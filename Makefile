# What there is to do here. `make demo` and `make test` need Rust, Python 3.10+ and
# a C compiler; everything else is fetched, pinned, into .tools/.
.DEFAULT_GOAL := help
.PHONY: help demo up down test check fuzz bench chaos permissions outlive build sbom audit deploy

CLOUD := python3 infra/local/cloud.py
PROFILE := --profile local
# What the functions that ship are built for: arm64 or x86_64.
ARCH ?= arm64
# Which stack of samconfig.toml is deployed: default, dev or prod.
STAGE ?= default

# Play against another stand-in for TikTok than our simulator:
#   make up TIKTOK_API_URL=http://127.0.0.1:8080
export TIKTOK_API_URL TIKTOK_UPLOAD_HOSTS TIKTOK_CLIENT_KEY TIKTOK_CLIENT_SECRET

help: ## Say what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Post a video, from the bucket to its link, on this machine alone
	@$(CLOUD) demo

up: ## Start the local cloud and leave it running
	@$(CLOUD) up

down: ## Take the local cloud down
	@$(CLOUD) down

test: ## Run every test, the scenarios against a local cloud
	cargo test --workspace --locked --doc $(PROFILE)
	@$(CLOUD) run -- cargo test --workspace --locked --lib --bins --tests $(PROFILE)

check: ## Check form, lints, documentation, dependencies, template and tools
	cargo fmt --all --check
	cargo clippy --workspace --locked --all-targets $(PROFILE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps --document-private-items $(PROFILE)
	@$(CLOUD) check

fuzz: ## Look for inputs that break a promise; FUZZ='--seconds 600 video' for more of one
	@$(CLOUD) fuzz $(FUZZ)

bench: ## Measure what ships beside what could be had; BENCH=--quick for a first look
	@$(CLOUD) bench $(BENCH)

chaos: ## Break posts off at every step and in every way; CHAOS=word for a part
	@$(CLOUD) run -- cargo test --workspace --locked --test chaos $(PROFILE) -- campaign $(CHAOS)

permissions: ## Take each permission away in turn, and see it missed; PERMISSIONS=word for a part
	@$(CLOUD) permissions $(PERMISSIONS)

outlive: ## Update and delete a stack with posts in it, and see that nothing that matters goes
	@$(CLOUD) outlive

build: ## Build what ships, for ARCH=arm64 or x86_64
	@$(CLOUD) release $(ARCH)

sbom: ## List every crate in what ships, for ARCH, into target/sbom
	@$(CLOUD) sbom $(ARCH)

audit: ## Look the dependencies up in RustSec's database, which is fetched
	@$(CLOUD) audit

deploy: build ## Build, then deploy to AWS: STAGE=dev or prod, PARAMETERS='Name=value …', DEPLOY=--guided
	.tools/sam/bin/sam deploy --config-env $(STAGE) --parameter-overrides Architecture=$(ARCH) $(PARAMETERS) $(DEPLOY)
