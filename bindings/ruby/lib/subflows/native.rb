# frozen_string_literal: true

# The ready-made gem has an extension for each Ruby version, the source gem the one that it built.
ready_made = "subflows/#{RUBY_VERSION[/\A\d+\.\d+/]}/subflows_native"
begin
  require ready_made
rescue LoadError => error
  # An extension that exists but does not load is an error.
  raise unless error.path == ready_made

  require "subflows/subflows_native"
end
