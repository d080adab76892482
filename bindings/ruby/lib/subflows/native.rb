# frozen_string_literal: true

# The ready-made gem brings one for each Ruby that it is for, the other the one that it has built.
ready_made = "subflows/#{RUBY_VERSION[/\A\d+\.\d+/]}/subflows_native"
begin
  require ready_made
rescue LoadError => error
  # One that is there and cannot be loaded is no reason to look for another.
  raise unless error.path == ready_made

  require "subflows/subflows_native"
end
