# frozen_string_literal: true

# Connections over loopback. The tests run in a network namespace of their own: see tests/suite/ruby.

require "minitest/autorun"
require "openssl"
require "set"
require "subflows"
require "timeout"

# Both ends of a connection, and its listener.
class Pair
  attr_reader :listener, :client, :server

  # Valgrind does not support the helper process of take_control: tests/suite/ruby-memory makes a namespace
  # in which the application controls every connection.
  TAKES_CONTROL = File.read("/proc/sys/net/mptcp/pm_type").to_i.zero?

  def initialize(host = "127.0.0.1", control: true)
    control &&= TAKES_CONTROL
    @listener = Subflows.listen(host, 0)
    @client = Subflows.connect(host, @listener.local_address.ip_port, control: control)
    @server = @listener.accept
    moves_data?
  end

  # Sends a byte each way: the connection works, and is ready for subflows.
  def moves_data?
    [[client, server], [server, client]].all? do |from, to|
      from.write("x")
      to.wait_readable(10) && to.readpartial(1) == "x"
    end
  end

  def close
    [client, server, listener].each(&:close)
  end
end

class SubflowsTest < Minitest::Test
  PATH_MANAGER = "/proc/sys/net/mptcp/pm_type"

  def setup
    @closed_later = []
  end

  def teardown
    GC.stress = false
    @closed_later.reverse_each(&:close)
  end

  def later(closeable)
    @closed_later << closeable
    closeable
  end

  def pair(host = "127.0.0.1", control: true)
    later(Pair.new(host, control: control))
  end

  # Both ends of a connection without a limit: the kernel's path manager does not count its subflows.
  def unlimited_pair
    before = File.read(PATH_MANAGER)
    File.write(PATH_MANAGER, "1")
    pair(control: false)
  ensure
    File.write(PATH_MANAGER, before)
  end

  # A port that does not answer: a listener whose queue is full.
  #
  # @return [Addrinfo]
  def silence(host = "127.0.0.9")
    full = later(Socket.new(:INET, :STREAM))
    full.bind(Addrinfo.tcp(host, 0))
    full.listen(0)
    4.times do
      waiting = later(Socket.new(:INET, :STREAM))
      waiting.connect_nonblock(full.local_address, exception: false)
    end
    full.local_address
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # Checks until it is true.
  def eventually(what)
    deadline = now + 10
    until yield
      flunk("#{what}: not in time") if now > deadline
      Thread.pass
    end
  end

  # @return [Integer] how many descriptors this process has
  def descriptors
    Dir.children("/proc/self/fd").size
  end
end

# With GC_STRESS, every allocation collects garbage, so that an object that is not held is freed.
# tests/suite/ruby-memory runs the tests that do not measure time with it.
if ENV["GC_STRESS"]
  class SubflowsTest
    def before_setup
      super
      GC.stress = true
    end
  end
end
