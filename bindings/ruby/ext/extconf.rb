# frozen_string_literal: true

# Writes the Makefile by which RubyGems builds the native part with cargo, from the sources in the gem.
# It requires no other gem, and leaves no build folder.

require "rbconfig"

unless system("cargo", "--version", out: File::NULL)
  abort "cargo, the package manager of Rust (1.85 or newer), is needed to build subflows. " \
        "Install it, for example: sudo apt-get install rustup && rustup default stable"
end

manifest = File.expand_path("../rust/bindings/ruby/Cargo.toml", __dir__)
File.write("Makefile", <<~MAKEFILE)
  DESTDIR =
  sitearchdir = #{RbConfig::CONFIG["sitearchdir"]}
  target = $(CURDIR)/target
  built = $(target)/dist/libsubflows_native.so
  installed = $(DESTDIR)$(sitearchdir)/subflows/subflows_native.so

  all:
  \tRUBY='#{RbConfig.ruby}' CARGO_TARGET_DIR='$(target)' \\
  \t\tcargo build --quiet --profile dist --manifest-path '#{manifest}'

  install: all
  \tinstall -D -s -m 755 '$(built)' '$(installed)'
  \trm -rf '$(target)'

  clean:
  \trm -rf '$(target)'

  .PHONY: all install clean
MAKEFILE
