# frozen_string_literal: true

require_relative "helper"
require_relative "operations"

# Without these, a method could differ from core's table.
class SurfaceTest < SubflowsTest
  def test_the_methods_are_those_of_the_table
    assert_equal OPERATIONS.keys.sort, Subflows.singleton_methods.sort
    OPERATIONS.each do |name, row|
      parameters = Subflows.method(name).parameters
      assert_equal row[:positional], named(parameters, :req, :opt), name
      assert_equal row[:keywords].keys, named(parameters, :key), name
    end
  end

  def test_defaults_and_documentation_are_those_of_the_table
    OPERATIONS.each do |name, row|
      comment, definition = source(Subflows.method(name))
      defaults = definition.scan(/(\w+): ([^,)]+)/).to_h { |key, value| [key.to_sym, eval(value)] }
      assert_equal row[:keywords], defaults, name
      assert_equal plain(row[:sentence]), plain(comment[/\A.*?\.(?=\s|\z)/m]), name
      assert_includes plain(comment), plain(row[:requirements]), name
    end
  end

  def test_pending_waits_take_what_the_functions_take
    open = Subflows.method(:open).parameters
    assert_equal open, Subflows::Opening.method(:new).parameters
    assert_equal Subflows.method(:doctor).parameters, Subflows::Examining.method(:new).parameters
    assert_equal Subflows.method(:probe).parameters, Subflows::Probing.method(:new).parameters
    keywords = Subflows.method(:connect).parameters.select { |kind, _| kind == :key }
    assert_equal keywords, Subflows::Connecting.method(:new).parameters.drop(1)
  end

  def test_every_field_has_a_signature
    gem = Gem.loaded_specs.fetch("subflows").full_gem_path
    signatures = File.read(File.join(gem, "sig/subflows.rbs"))
    Subflows::Details::MEMBERS.each { |name| assert_includes signatures, "attr_reader #{name}:" }
    OPERATIONS.each_key { |name| assert_includes signatures, "def self.#{name}: (" }
  end

  def test_every_method_of_a_handle_and_every_list_has_a_signature
    gem = Gem.loaded_specs.fetch("subflows").full_gem_path
    signatures = Dir[File.join(gem, "sig/*.rbs")].map { |file| File.read(file) }.join
    classes = signatures.scan(/^  class (\w+)$(.*?)^  end$/m).group_by(&:first)
    %i[Connecting Opening Probing Examining Announced Events].each do |handle|
      body = classes.fetch(handle.to_s).join
      # Those of the modules have theirs there, and so has `fileno`.
      methods = Subflows.const_get(handle).public_instance_methods(false) - %i[fileno]
      methods.each { |name| assert_includes body, "def #{name}:", handle }
    end
    lists = Subflows.constants.select { |name| Subflows.const_get(name).is_a?(Array) }
    refute_empty lists
    lists.each { |name| assert_match(/^  #{name}: Array\[/, signatures) }
  end

  def test_the_native_methods_are_private
    assert_raises(NameError) { Subflows::Native }
    refute_respond_to Subflows, :lend
  end

  private

  def named(parameters, *kinds)
    parameters.filter_map { |kind, name| name if kinds.include?(kind) }
  end

  # @return [Array(String, String)] the comment above a method, and the text of its parameters
  def source(method)
    file, line = method.source_location
    lines = File.readlines(file)
    comment = lines.take(line - 1).reverse.take_while { |text| text.strip.start_with?("#") }.reverse
    definition = lines.drop(line - 1).join[/\A\s*def self\.\w+(?:\((.*?)\)$)?/m, 1]
    [comment.map { |text| text.strip.sub(/\A# ?/, "") }.join("\n"), definition.to_s]
  end

  # Without the marks around names, which differ between languages.
  def plain(sentence)
    sentence.delete("`{}+").split.join(" ")
  end
end
