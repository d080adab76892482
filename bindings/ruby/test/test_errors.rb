# frozen_string_literal: true

require_relative "helper"

# Without these, a program could not handle errors by Ruby's own means.
class ErrorsTest < SubflowsTest
  def test_every_kind_has_a_class
    Subflows::Error::KINDS.each do |name, kind|
      assert_equal name, kind::KIND
      assert_equal name, kind.new("because").kind
      assert_operator kind, :<, Subflows::Error
    end
    assert_operator Subflows::Error, :<, StandardError
  end

  def test_what_the_kernel_says_is_rescued_by_its_number
    free = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    refused = assert_raises(Subflows::RefusedError) { Subflows.connect("127.0.0.1", free) }
    assert_equal Errno::ECONNREFUSED::Errno, refused.errno
    assert_operator Errno::ECONNREFUSED, :===, refused
    refute_operator Errno::ETIMEDOUT, :===, refused
    rescued =
      begin
        Subflows.connect("127.0.0.1", free)
      rescue Errno::ECONNREFUSED => error
        error
      end
    assert_equal :refused, rescued.kind
  end

  def test_an_error_says_what_to_do
    error = assert_raises(Subflows::NoSuchSubflowError) { Subflows.close(pair.client, 77) }
    assert_equal "close", error.operation
    assert_nil error.errno
    assert error.message.end_with?(error.remedy)
    assert_equal :no_such_subflow, error.kind
  end

  def test_plain_tcp_has_no_subflows
    TCPServer.open("127.0.0.1", 0) do |server|
      TCPSocket.open("127.0.0.1", server.local_address.ip_port) do |socket|
        assert_equal :tcp, Subflows.status(socket).state
        assert_raises(Subflows::NotMptcpError) { Subflows.list(socket) }
        assert_raises(Subflows::InvalidStateError) { Subflows.upgrade(socket) }
      end
    end
  end

  def test_a_value_that_is_not_a_socket_is_refused
    assert_raises(TypeError) { Subflows.status("a socket") }
    assert_raises(TypeError) { Subflows.status(nil) }
    assert_raises(ArgumentError) { Subflows.status(-1) }
    assert_raises(RangeError) { Subflows.status(1 << 40) }
    assert_raises(IOError) { Subflows.status(IO.allocate) }
    assert_raises(Subflows::Error) { Subflows.status($stdin) }
    closed = Subflows.socket
    closed.close
    assert_raises(IOError) { Subflows.status(closed) }
  end

  def test_arguments_that_make_no_sense_are_refused
    socket = pair.client
    assert_raises(ArgumentError) { Subflows.open(socket, local: "nowhere") }
    assert_raises(ArgumentError) { Subflows.open(socket, timeout: -1) }
    assert_raises(ArgumentError) { Subflows.open(socket, nonsense: 1) }
    assert_raises(TypeError) { Subflows.open(socket, remote: "127.0.0.1") }
    assert_raises(TypeError) { Subflows.open(socket, timeout: "5") }
    assert_raises(RangeError) { Subflows.open(socket, local_port: 70_000) }
    assert_raises(RangeError, TypeError) { Subflows.details(socket, -1) }
    assert_raises(ArgumentError) { Subflows.open(socket, remote: Addrinfo.unix("/nowhere")) }
    assert_equal 1, Subflows.list(socket).size
  end

  def test_an_option_that_gets_a_wrong_value_says_which_it_accepts
    id = Subflows.list(pair.client).first.id
    ["many", -1, true, 1 << 32].each do |value|
      error = assert_raises(Subflows::InvalidArgumentError, ArgumentError, RangeError) do
        Subflows.set_option(pair.client, id, :mark, value)
      end
      assert_includes error.message, "0 to 4294967295", value.inspect
    end
  end
end
