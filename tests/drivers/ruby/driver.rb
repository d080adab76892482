#!/usr/bin/env -S ruby --disable=gems
# frozen_string_literal: true

# The driver in Ruby: answers each line of the runner with one line. See tests/conform/PROTOCOL.md.

$LOAD_PATH.unshift(File.join(__dir__, "lib"))
require "fiddle"
require "subflows"
require_relative "answer"
require_relative "library"
require_relative "plain_sockets"
require_relative "request"

# Answers line after line.
class Driver
  CLONE_NEWNET = 0x4000_0000
  INT = Fiddle::TYPE_INT
  SETNS = Fiddle::Function.new(Fiddle::Handle::DEFAULT["setns"], [INT, INT], INT)

  def initialize
    @sockets = PlainSockets.new
    @library = Library.new(@sockets)
    @remedy = ""
  end

  def answer(line)
    return answer_of_child(line.delete_prefix("fork ")) if line.start_with?("fork ")

    Answer.ok(perform(*Request.read(line)))
  rescue Subflows::Error => error
    @remedy = error.remedy
    fault(error, "#{Answer.camel(error.kind)} #{error.errno || 0}")
  rescue SystemCallError => error
    fault(error, "Os #{error.errno}")
  rescue IOError => error
    fault(error, "Os 0")
  rescue ArgumentError, KeyError, TypeError, RangeError => error
    fault(error, "Protocol 0")
  end

  private

  def perform(verb, words)
    case verb
    when "hello"
      verbs = [*PlainSockets::VERBS, *Library::VERBS, "enter", "remedy", "fork"]
      { language: "ruby", verbs: verbs.join(",") }
    when "remedy" then { remedy: @remedy }
    when "enter" then enter(**words)
    when *PlainSockets::VERBS then @sockets.perform(verb, words)
    when *Library::VERBS then @library.perform(verb, words)
    else raise ArgumentError, "unknown verb #{verb}"
    end
  end

  # Forgets everything that has a name, and moves to another network namespace.
  def enter(namespace:)
    @library.close_all
    @sockets.close_all
    moved = File.open(namespace) { |file| SETNS.call(file.fileno, CLONE_NEWNET) }
    raise SystemCallError.new("setns", Fiddle.last_error) unless moved.zero?
  end

  def fault(error, text)
    warn error.full_message(highlight: false)
    "err #{text}"
  end

  def answer_of_child(line)
    read_end, write_end = IO.pipe
    child = fork do
      write_end.write(answer(line))
      write_end.close
      exit!(0)
    end
    write_end.close
    read_end.read.tap { Process.wait(child) }
  end
end

driver = Driver.new
$stdout.sync = true
while (line = $stdin.gets(chomp: true)) && line != "quit"
  puts driver.answer(line)
end
