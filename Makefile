# Thin: every target also works by the ecosystem's own tool, which it shows.
PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
DESTDIR =

.PHONY: setup demo test kernels conform lint regen bench fuzz soak doc install wheel gem suites clean

setup:            ## install what building and testing needs; quick when all is installed
	@tests/setup

demo: setup       ## a file over two paths, opened, prioritised, pulled and closed under it
	@mkdir -p target # also if CARGO_TARGET_DIR is another folder
	cargo run --locked --quiet --release --package subflows-cli -- demo --chart target/demo.svg

test: setup       ## everything that is promised, on the real kernel
	@tests/run

kernels: setup    ## the tests and scenarios on Linux 6.1 to the newest one, under qemu; writes KERNELS.md
	tests/kernels/run; status=$$?; cp target/kernels/KERNELS.md KERNELS.md; exit $$status

conform:          ## the scenarios, in every language
	cargo conform

regen:            ## write what is derived from core's tables
	cargo regen

lint:             ## formatting and lints, as tests/run checks them
	tests/tool/format --check
	cargo clippy --locked --all-targets --all-features -- --deny warnings

bench: setup      ## ratios to the raw system calls; the table is kept in BENCHMARKS.md
	cargo bench --locked --package subflows --bench ratios
	cargo bench --locked --package subflows --bench events
	cargo bench --locked --package subflows-c --bench ratios
	cargo bench --locked --package subflows-cli --bench broker
	cargo bench --locked --package subflows-cli --bench run
	cargo bench --locked --package subflows-cli --bench probe
	cargo bench --locked --package subflows-cli --bench command
	bindings/python/bench target/benchmarks-python.md
	bindings/ruby/bench target/benchmarks-ruby.md
	bindings/java/bench target/benchmarks-java.md
	cat target/benchmarks.md target/benchmarks-events.md target/benchmarks-c.md target/benchmarks-broker.md \
	    target/benchmarks-run.md target/benchmarks-command.md target/benchmarks-probe.md \
	    target/benchmarks-python.md target/benchmarks-ruby.md target/benchmarks-java.md > BENCHMARKS.md

fuzz:             ## the parsers and the C library on many more random inputs than in `make test`
	PROPTEST_CASES=1000000 cargo test --locked --release --package subflows --lib random_bytes
	FUZZ_SECONDS=600 cargo test --locked --package subflows-c --test hostile -- --nocapture
	# Requires a nightly toolchain and cargo-fuzz: cargo install cargo-fuzz --locked
	cd bindings/broker/fuzz && cargo +nightly fuzz run message -- -max_total_time=600 -max_len=2300

soak:             ## messages after `open` in Rust and Python, 500 times each case; a killed broker, 200 times
	SUBFLOWS_PLAYS=500 cargo test --locked --package subflows --test intact -- --nocapture
	BROKER_KILLS=200 cargo test --locked --package subflows-cli --test broker killed -- --nocapture
	SUBFLOWS_PLAYS=500 tests/tool/in-namespace "$$(bindings/python/environment)" -m pytest -q \
	    bindings/python/tests/test_uploads.py

doc:              ## the documentation of the crate, in target/doc/subflows
	RUSTDOCFLAGS=--deny=warnings cargo doc --locked --no-deps --all-features

install:          ## library, header, command, manual pages, completions: PREFIX= LIBDIR= DESTDIR=
	@PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' DESTDIR='$(DESTDIR)' bindings/c/install

wheel:            ## Python's wheel (manylinux2014, CPython 3.9 and newer) and its sources, in target/python/dist
	@bindings/python/package

gem: setup        ## a gem with its sources, and one that is ready-made, in target/gems
	bindings/ruby/package target/gems

suites: test      ## what takes longer: packages, and the languages' own tests of their sockets
	cargo conform --broker
	tests/suite/python
	tests/suite/java
	tests/suite/ruby
	tests/suite/python-packages
	tests/suite/python-cpython
	tests/suite/python-servers
	tests/suite/servers
	tests/suite/systemd
	tests/suite/unchanged
	tests/suite/run-programs
	tests/suite/run-suites
	tests/suite/ruby-memory target/ruby-*/ready-made
	tests/suite/ruby-sockets target/ruby-*/ready-made
	tests/suite/ruby-servers target/ruby-*/ready-made
	tests/suite/ffi
	tests/suite/java-newer
	tests/suite/fresh bookworm
	tests/suite/fresh trixie
	tests/suite/java-jdk target/java/build/subflows-?.?.?.jar
	tests/suite/java-frameworks target/java/build/subflows-?.?.?.jar
	tests/upstream/run

clean:
	cargo clean
