CANLOOM := target/release/canloom
# Writes random modules; a package of its own, see there.
SMITH := cargo run --quiet --release --locked --manifest-path tests/smith/Cargo.toml --target-dir target/smith --

.PHONY: help demo test model lint build canisters fixtures bench endurance hostile zoo mutants self-mutants complete
.PHONY: reordered shrinking screenshots fuzz fuzz-cmin fuzz-cov fuzz-clusterfuzzlite nightly clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Find a bug in a vault, explain it step by step, draw it, and show that the corrected vault holds
	@printf '%s\n' 'Builds the sample canisters and canloom, then explores two scenarios.' \
		'The first run downloads about 80 MB, takes 5 to 15 minutes on two cores and 3.5 GB in target/; later runs take seconds.' \
		'[1/3] the sample canisters, [2/3] canloom, [3/3] the vault' '' '[1/3] the sample canisters'
	@$(MAKE) --no-print-directory canisters && echo '[2/3] canloom' && $(MAKE) --no-print-directory build && echo '[3/3] the vault'
	@$(CANLOOM) explore corpus/vault-stale/scenario.toml --html target/demo.html; test $$? = 3
	@echo && $(CANLOOM) explore corpus/vault-sound/scenario.toml
	@printf '%s\n' '' 'The counterexample above, to step through in a browser: target/demo.html' 'Next: docs/tutorial.md, or canloom init on a canister of your own (README.md).'

test: ## Run all tests: canloom's, the model's under loom, then those of the sample canisters' handlers
	@printf '%s\n' 'Builds all canisters and the tests, and runs them: about 30 minutes the first time on two cores, several GB in target/.' ''
	@$(MAKE) --no-print-directory fixtures
	cargo test --release --locked --workspace
	cd canisters && cargo test --locked

model: canisters ## Check the same handlers under loom: an independent exhaustive model
	cargo test --release --locked -p model

lint: ## Check formatting, clippy and documentation; no warning is tolerated
	cargo fmt --all --check && (cd tests/smith && cargo fmt --check) && (cd tests/mutants && cargo fmt --check) && (cd tests/self && cargo fmt --check) && cd canisters && cargo fmt --all --check && rustfmt --check --edition 2024 fixtures/*/src/lib.rs
	cargo clippy --release --workspace --all-targets --locked -- -D warnings && cd canisters && cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps --locked

build: canisters ## Build target/release/canloom
	cargo build --release --locked --bin canloom

canisters: ## Build the sample canisters into target/canisters
	@canisters/build.sh

fixtures: ## Build the sample canisters and those that only tests need, into target/canisters
	@canisters/build.sh --fixtures
	@$(SMITH) 1000 1 $(CURDIR)/target/canisters/fixtures/smith.modules

bench: canisters ## Measure the search, what else could be done, and compare with the saved run; BENCH="--full --save"
	cargo bench --locked --bench worlds -- measure $(BENCH)
	cargo bench --locked --bench strategies -- table rate
	cargo bench --locked --bench pocket_ic
	cargo bench --locked --bench fuzz
	cargo bench --locked -p model --bench against_embedded
	@cargo bench --quiet --locked --bench worlds -- report $(BENCH)

endurance: canisters ## 1,000 explorations in one process, 100 processes on one corpus
	EXPLORATIONS=1000 PROCESSES=100 cargo test --release --locked --test it -- endurance:: --nocapture

hostile: ## Explore 10,000 random modules; `make test` has 1,000 of them
	@$(SMITH) 10000 1000000 $(CURDIR)/target/smith.modules
	HOSTILE_MODULES=$(CURDIR)/target/smith.modules cargo test --release --locked --test it -- hostile::generated --nocapture

zoo: canisters ## Explore the bug zoo and write its table, docs/zoo.md
	ZOO=write cargo test --release --locked --test it -- zoo::the_table

complete: fixtures ## Compare 1,000 random scenarios with brute force, and 1,000 programs with PocketIC; `make test` has a part
	COMPLETE=1 cargo test --release --locked --test it -- against_brute_force::complete pocket_ic_puppet --nocapture

mutants: build ## Make mistakes in correct canisters and count those that are found: docs/mutants.md; MUTANTS=--check compares
	cargo test --quiet --release --locked --manifest-path tests/mutants/Cargo.toml --target-dir target/mutants/tool
	cargo run --quiet --release --locked --manifest-path tests/mutants/Cargo.toml --target-dir target/mutants/tool -- $(MUTANTS)

self-mutants: build ## Make mistakes in canloom itself and count those that its tests find: docs/self-mutants.md; EVERY=10 runs a tenth
	cargo test --quiet --release --locked --manifest-path tests/self/Cargo.toml --target-dir target/self/tool
	cargo run --quiet --release --locked --manifest-path tests/self/Cargo.toml --target-dir target/self/tool -- --every $(or $(EVERY),1)

reordered: build ## Recompile the canisters with functions and fields in another order, and replay the corpus on them
	@tests/reordered/run.sh

shrinking: canisters ## Shrink noisy schedules of every scenario with a counterexample, and write docs/shrinking.md
	SHRINK=write cargo test --release --locked --test it -- shrinking::the_table --nocapture

screenshots: build ## Draw a counterexample and photograph it in three sizes and two themes, into docs/images; needs node and Chromium
	$(CANLOOM) report corpus/vault-stale/*.cx --html target/report.html && node tests/browser/check.mjs shots target/report.html docs/images

fuzz: ## Fuzz: SCENARIO=FILE TIME=60, TARGET=schedule; see docs/fuzzing.md
	@fuzz/run.sh

fuzz-cmin: ## Keep as few fuzz inputs as show the same: SCENARIO=FILE or TARGET=NAME
	@fuzz/run.sh --cmin

fuzz-cov: build ## Which lines of the canisters fuzz inputs run: SCENARIO=FILE; LCOV and text in target/fuzz-cov
	@fuzz/cov.sh

fuzz-clusterfuzzlite: ## Build all fuzz targets as ClusterFuzzLite does, into target/clusterfuzzlite
	@OUT=target/clusterfuzzlite .clusterfuzzlite/build.sh

nightly: build ## Ask the canaries, replay known findings, then fuzz: TIME=14400 SCENARIOS="FILE ..." TARGETS="NAME ..."
	@fuzz/nightly.sh

clean: ## Delete everything that was built
	rm -rf target
