#!/usr/bin/env ruby
# frozen_string_literal: true

# The driver in Ruby: one line asks, one line answers. See tests/conform/PROTOCOL.md.

$LOAD_PATH.unshift(File.join(__dir__, "lib"))
require "subflows"
require_relative "lines"
require_relative "own"

# The verbs of the library, one line for one call.
class Library
  VERBS = %w[
    socket connect listen upgrade take_control status info list details open close force_close
    set_backup announce turn_away withdraw addresses events next unfollow connections connection
    capabilities
  ].freeze

  def initialize(own)
    @own = own
    @handles = {}
  end

  def socket(family:, name:) = @own.keep(name, Subflows.socket(family == "v4" ? :INET : :INET6))

  def connect(to:, name:, local: nil, **options)
    to = Lines.address(to)
    local &&= Lines.address(local)
    @own.keep(name, Subflows.connect(to.ip_address, to.ip_port, local: local, **typed(options)))
  end

  def listen(at:, name:, **options)
    at = Lines.address(at)
    @own.keep(name, Subflows.listen(at.ip_address, at.ip_port, **typed(options)))
  end

  def upgrade(sock:) = Subflows.upgrade(@own[sock])
  def take_control(sock:) = Subflows.take_control(@own[sock])
  def status(sock:) = Subflows.status(@own[sock])
  def info(sock:) = Subflows.info(@own[sock])
  def list(sock:) = Subflows.list(@own[sock])
  def addresses(sock:) = Subflows.addresses(@own[sock])
  def details(sock:, id:) = Subflows.details(@own[sock], Integer(id))
  def open(sock:, **options) = Subflows.open(@own[sock], **typed(options))
  def close(sock:, id:) = Subflows.close(@own[sock], Integer(id))
  def force_close(sock:, id:) = Subflows.close(@own[sock], Integer(id), force: true)
  def set_backup(sock:, id:, yes:) = Subflows.set_backup(@own[sock], Integer(id), yes == "true")
  def connections(**options) = Subflows.connections(**typed(options))
  def connection(token:) = Subflows.connection(Integer(token))
  def capabilities = Subflows.capabilities

  def announce(sock:, ip:, name:, **options)
    announced = @handles[name] = Subflows.announce(@own[sock], ip, **typed(options))
    { id: announced.id, address: announced.address }
  end

  def turn_away(handle:) = { count: @handles.fetch(handle).turn_away }
  def withdraw(handle:) = @handles.fetch(handle).withdraw

  def events(name:, sock: nil)
    @handles[name] = sock ? Subflows.events(@own[sock]) : Subflows::Events.of_namespace
    nil
  end

  def next(handle:, timeout_ms:) = @handles.fetch(handle).next(Integer(timeout_ms) / 1000.0)
  def unfollow(handle:) = @handles.delete(handle).close

  private

  # Options as the library takes them.
  def typed(options)
    options.to_h do |name, text|
      case name
      when :timeout_ms then [:timeout, Integer(text) / 1000.0]
      when :control, :backup, :unbound, :only_v6, :subflows then [name, text == "true"]
      when :local_port, :port then [name, Integer(text)]
      when :remote then [name, Lines.address(text)]
      else [name, text]
      end
    end
  end
end

# Answers line after line.
class Driver
  def initialize
    @own = Own.new
    @library = Library.new(@own)
    @remedy = ""
  end

  def answer(line)
    return in_child(line.delete_prefix("fork ")) if line.start_with?("fork ")

    verb, words = Lines.read(line)
    Lines.told(perform(verb, words))
  rescue Subflows::Error => error
    @remedy = error.remedy
    fault(error, "#{Lines.camel(error.kind)} #{error.errno || 0}")
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
      { language: "ruby", verbs: (Own::VERBS + Library::VERBS + %w[remedy fork]).join(",") }
    when "remedy" then { remedy: @remedy }
    when *Own::VERBS then @own.public_send(verb, **words)
    when *Library::VERBS then @library.public_send(verb, **words)
    else raise ArgumentError, "there is no verb #{verb}"
    end
  end

  def fault(error, text)
    warn error.full_message(highlight: false)
    "err #{text}"
  end

  # A child says what this process would have said itself.
  def in_child(line)
    ours, theirs = IO.pipe
    child = fork do
      theirs.write(answer(line))
      theirs.close
      exit!(0)
    end
    theirs.close
    ours.read.tap { Process.wait(child) }
  end
end

driver = Driver.new
$stdout.sync = true
while (line = $stdin.gets(chomp: true)) && line != "quit"
  puts driver.answer(line)
end
