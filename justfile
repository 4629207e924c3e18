# What is typed often; `just` lists it. https://just.systems

[private]
default:
    @just --list

# The program, target/release/saltflat
build:
    cargo build --release

# All tests, or those whose names contain FILTER
test *FILTER:
    cargo test --release -- {{FILTER}}

# The tests of one crate, or those of its tests whose names contain FILTER: just test-crate saltflat-models jets
test-crate CRATE *FILTER:
    cargo test --release -p {{CRATE}} -- {{FILTER}}

# Format, Clippy and the structure of the sources, as in CI
lint:
    .ci/run format structure clippy

# The documentation of the crates, in target/doc
docs:
    .ci/run docs

# Does the program train the same bits on a CPU as another build of it?
bits OLD *OPTIONS: build
    python3 scripts/same_bits.py {{OLD}} target/release/saltflat {{OPTIONS}}

# Every study and every lab at its smallest scale
smoke:
    .ci/run smoke

# All that a change has to pass
ci:
    .ci/run
