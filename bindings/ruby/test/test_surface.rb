# frozen_string_literal: true

require_relative "helper"

# Without these, a method differs from core's table, out of which the signatures are derived.
class SurfaceTest < SubflowsTest
  SIGNATURES = Gem.loaded_specs.fetch("subflows").full_gem_path + "/sig/subflows.rbs"

  # @return [Hash{Symbol => Array}] the parameters of each function, as Method#parameters has them
  def declared
    lines = File.readlines(SIGNATURES).filter_map { |line| line.match(/def self\.(\w+): \((.*?)\) ->/) }
    lines.to_h do |line|
      parameters = line[2].split(", ").map do |parameter|
        case parameter
        when /\A\?(\w+): / then [:key, $1.to_sym]
        when /\A\?.* (\w+)\z/ then [:opt, $1.to_sym]
        when /(\w+)\z/ then [:req, $1.to_sym]
        end
      end
      [line[1].to_sym, parameters]
    end
  end

  def test_the_functions_are_those_of_the_table
    refute_empty declared
    assert_equal declared.keys.sort, Subflows.singleton_methods.sort
    declared.each do |name, parameters|
      method = Subflows.method(name)
      assert_equal parameters, method.parameters.reject { |kind, _| kind == :block }, name
    end
  end

  def test_pending_waits_take_what_the_functions_take
    open = Subflows.method(:open).parameters
    assert_equal open, Subflows::Opening.method(:new).parameters
    keywords = Subflows.method(:connect).parameters.select { |kind, _| kind == :key }
    assert_equal keywords, Subflows::Connecting.method(:new).parameters.drop(1)
  end

  def test_what_is_native_is_nobodys_business
    assert_raises(NameError) { Subflows::Native }
    refute_respond_to Subflows, :lend
  end
end
