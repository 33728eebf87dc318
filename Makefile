CANLOOM := target/release/canloom

.PHONY: help demo test model lint build canisters bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Find a bug in a vault, step by step, and show that its corrected twin holds
	@printf '%s\n' 'Builds the sample canisters and canloom, then explores two scenarios.' 'The first run downloads about 50 MB, takes about ten minutes on two cores and 3 GB in target/; later runs take seconds.' ''
	@$(MAKE) --no-print-directory build
	@$(CANLOOM) explore corpus/vault-stale/scenario.toml; test $$? = 3 && echo && $(CANLOOM) explore corpus/vault-sound/scenario.toml

test: canisters ## Run all tests: canloom's, the model's under loom, then those of the sample canisters' handlers
	cargo test --release --locked --workspace
	cd canisters && cargo test --locked

model: canisters ## Check the same handlers under loom: an independent exhaustive model
	cargo test --release --locked -p model

lint: ## Check formatting, clippy and documentation; no warning is tolerated
	cargo fmt --all --check && cd canisters && cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings && cd canisters && cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps --locked

build: canisters ## Build target/release/canloom
	cargo build --release --locked --bin canloom

canisters: ## Build the sample canisters into target/canisters
	@canisters/build.sh

bench: canisters ## Measure the search: worlds, executions, time and memory; and loom against it
	cargo bench --locked --bench worlds
	cargo bench --locked -p model

clean: ## Delete everything that was built
	rm -rf target
