# Each recipe is one line; make prints it with all its parts, so that it can be pasted.

# Compiled things stay outside the checkout, so that a second run, or a fresh checkout, finds the dependencies made.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/lgsp/target
export PATH := $(PATH):$(HOME)/.cargo/bin:$(HOME)/.cache/lgsp/bin

# Demo and tests are one build, so that nothing is compiled twice. `failpoints` lets the kill tests stop a node in its middle; it does
# nothing unless the environment asks, and releases are built without it. `--test it` gives the demo's dependencies the features
# that they have in tests: without it cargo would make a fourth of them again.
ALL := --locked --workspace --features lgsp/failpoints --target-dir $(CARGO_TARGET_DIR)
BUILD := cargo build $(ALL) --bin lgsp --test it
LINT := cargo clippy --locked --workspace --target-dir $(CARGO_TARGET_DIR)

.PHONY: demo test check bench gen fmt

demo: # plays a document's way from one department to two others; ARGS=--keep leaves the platform running
	.ci/setup && $(BUILD) && $(CARGO_TARGET_DIR)/debug/lgsp demo $(ARGS)
test: # every test, after the `lgsp` that the stories start
	.ci/setup && $(BUILD) && cargo test $(ALL) --no-fail-fast
check: # format, lints with every feature and as released, licences, bans and sources of dependencies
	.ci/setup deny && cargo fmt --check && $(LINT) --all-targets --test bench --all-features -- -D warnings && $(LINT) -- -D warnings && cargo deny --locked check bans licenses sources
bench: # what the platform costs, as ratios of one run; the released program, for a quiet machine
	.ci/setup && cargo build --locked --release --bin lgsp --features lgsp/failpoints --target-dir $(CARGO_TARGET_DIR) && LGSP_BIN=$(CARGO_TARGET_DIR)/release/lgsp cargo test --locked --release -p lgsp-tests --test bench --target-dir $(CARGO_TARGET_DIR) -- --nocapture --test-threads 1
gen: # makes the code of crates/lgsp-proto/src/gen/ from proto/; a test tells when it was forgotten
	.ci/setup && LGSP_GEN=write cargo test --workspace --features lgsp/failpoints --target-dir $(CARGO_TARGET_DIR) --lib -- fresh::
fmt: # puts all code into our format
	cargo fmt
