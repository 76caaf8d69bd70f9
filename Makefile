# Each recipe is one line that a person can paste; make prints it before it runs it.

# Compiled things stay outside the checkout, so that a second run, or a fresh checkout, finds the dependencies made.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/lgsp/target
export PATH := $(PATH):$(HOME)/.cargo/bin:$(HOME)/.cache/lgsp/bin
# The cargo feature for demo and tests alike, so that nothing is compiled twice: `failpoints` lets the kill tests stop a node
# in the middle. They do nothing unless asked for by the environment; releases are built without the feature.
FEATURES := --features lgsp/failpoints

.PHONY: demo test check fmt

demo: # plays a document's way from one department to two others; ARGS=--keep leaves the platform running
	.ci/setup && cargo build --locked --workspace $(FEATURES) && "$$CARGO_TARGET_DIR/debug/lgsp" demo $(ARGS)
test: # every test; what `lgsp` it needs is built first
	.ci/setup && cargo build --locked --workspace $(FEATURES) && cargo test --locked --workspace $(FEATURES) --no-fail-fast
check: # format, lints of all code and of what releases hold, licences, bans and sources of dependencies
	.ci/setup deny && cargo fmt --check && cargo clippy --locked --workspace --all-targets --all-features -- -D warnings && cargo clippy --locked --workspace -- -D warnings && cargo deny --locked check bans licenses sources
fmt: # puts all code into our format
	cargo fmt
