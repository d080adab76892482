# frozen_string_literal: true

# The ready-made gem brings one for each Ruby that it is for, the other the one that it has built.
ruby = RUBY_VERSION[/\A\d+\.\d+/]
begin
  require "subflows/#{ruby}/subflows_native"
rescue LoadError
  require "subflows/subflows_native"
end
