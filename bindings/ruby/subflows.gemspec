# frozen_string_literal: true

# What both gems have in common. `package` adds the extension to the source gem, and the platform to
# the ready-made one.
Gem::Specification.new do |spec|
  spec.name = "subflows"
  spec.version = File.read(File.join(__dir__, "lib/subflows/version.rb"))[/VERSION = "(.*)"/, 1]
  spec.summary = "See and steer the subflows of your own Multipath TCP connections"
  spec.description = "Lists, opens, prioritises and closes the subflows of Multipath TCP " \
                     "connections, on stock Linux kernels. Works on any IO."
  spec.authors = ["The subflows developers"]
  spec.licenses = ["MIT", "Apache-2.0"]
  spec.required_ruby_version = ">= 3.1"
  spec.require_paths = ["lib"]
  spec.files = Dir.chdir(__dir__) do
    Dir["{lib,sig,exe,ext,rust,libexec}/**/{*,.cargo/*}", "LICENSE-*", "README.md"]
      .select { |path| File.file?(path) }
  end
  spec.metadata = { "rubygems_mfa_required" => "true" }
end
