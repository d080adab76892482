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

  def test_the_kernels_error_is_rescued_by_its_number
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

  def test_an_error_has_a_remedy
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
    assert_raises(ArgumentError) { Subflows.status(1 << 40) }
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

  MARK = [Subflows::InvalidArgumentError, "a number from 0 to 4294967295"].freeze

  # What a new user passes, the error, and what its message names instead.
  WRONG = {
    # An id.
    ->(socket, extra) { Subflows.close(socket, extra) } => [TypeError, "pass subflow.id"],
    ->(socket, _) { Subflows.details(socket, "1") } => [TypeError, "pass subflow.id"],
    ->(socket, _) { Subflows.set_backup(socket, nil, true) } => [TypeError, "pass subflow.id"],
    ->(socket, _) { Subflows.close(socket, -1) } => [RangeError, "from 0 to"],
    ->(socket, _) { Subflows.close(socket, 1 << 70) } => [RangeError, "from 0 to"],
    # A token.
    ->(_, _) { Subflows.connection("1f2e") } => [TypeError, "token.to_i(16)"],
    ->(socket, _) { Subflows.connection(Subflows.status(socket)) } => [TypeError, "status(socket).token"],
    # An address.
    ->(_, _) { Subflows.connect("server.example:443", nil) } => [ArgumentError, 'pass "server.example", 443'],
    ->(_, _) { Subflows.connect("[::1]:443", nil) } => [ArgumentError, 'pass "::1", 443'],
    ->(_, _) { Subflows.listen("0.0.0.0:80", 0) } => [ArgumentError, 'pass "0.0.0.0", 80'],
    ->(_, _) { Subflows.connect(["127.0.0.1", 80], nil) } => [TypeError, "the port after it"],
    # The resolver takes it for port 14464.
    ->(_, _) { Subflows.connect("127.0.0.1", 80_000) } => [RangeError, "from 0 to 65535"],
    ->(_, _) { Subflows.listen(nil, -1) } => [RangeError, "from 0 to 65535"],
    ->(_, _) { Subflows.connect("127.0.0.1", 80, local: "127.0.0.1") } => [TypeError, 'pass ["127.0.0.1", 0]'],
    ->(socket, _) { Subflows.open(socket, remote: "127.0.0.1:80") } => [TypeError, 'pass ["127.0.0.1", 80]'],
    ->(socket, _) { Subflows.open(socket, remote: "::1") } => [TypeError, 'pass ["::1", 0]'],
    ->(socket, _) { Subflows.open(socket, remote: %w[127.0.0.1 80]) } => [TypeError, "pass an Integer"],
    ->(socket, _) { Subflows.open(socket, local: ["127.0.0.1", 0]) } => [TypeError, "pass the host alone"],
    ->(socket, _) { Subflows.open(socket, local: "wwan0") } => [ArgumentError, "pass one such as"],
    # An option of a subflow.
    ->(socket, extra) { Subflows.get_option(socket, extra.id, :frobnicate) } => [ArgumentError, "such as :mark"],
    ->(socket, extra) { Subflows.get_option(socket, extra.id, nil) } => [ArgumentError, "such as :mark"],
    ->(socket, extra) { Subflows.get_option(socket, extra, :mark) } => [TypeError, "pass subflow.id"],
    ->(socket, extra) { Subflows.get_raw_option(socket, extra.id, -1, 36, 4) } => [RangeError, "from 0 to"],
    ->(socket, extra) { Subflows.get_raw_option(socket, extra.id, 1, 36, "4") } => [TypeError, "pass an Integer"],
    ->(socket, extra) { Subflows.set_option(socket, extra.id, :mark, "many") } => MARK,
    ->(socket, extra) { Subflows.set_option(socket, extra.id, :mark, -1) } => MARK,
    ->(socket, extra) { Subflows.set_option(socket, extra.id, :mark, true) } => MARK,
    ->(socket, extra) { Subflows.set_option(socket, extra.id, :mark, 1 << 32) } => MARK,
    # Other options.
    ->(socket, _) { Subflows.open(socket, interface: 2) } => [TypeError, 'such as "wwan0"'],
    ->(socket, _) { Subflows.open(socket, local_port: 70_000) } => [RangeError, "from 0 to 65535"],
    ->(socket, _) { Subflows.open(socket, timeout: "5") } => [TypeError, "pass a number of seconds"],
    ->(socket, _) { Subflows.open(socket, timeout: -1) } => [ArgumentError, "pass seconds"],
    ->(_, _) { Subflows.socket(:UNIX) } => [ArgumentError, "pass :INET"],
    ->(_, _) { Subflows.socket(:NONE) } => [ArgumentError, "pass :INET"],
    # A socket.
    ->(_, _) { Subflows.list(nil) } => [TypeError, "pass a socket"],
    ->(_, _) { Subflows.list(-1) } => [ArgumentError, "pass a socket"],
    ->(_, _) { Subflows.list(Object.new) } => [TypeError, "pass a socket"],
    # A record.
    ->(_, extra) { Marshal.dump(extra) } => [TypeError, "dump its to_h"]
  }.freeze

  def test_a_wrong_argument_names_what_to_pass
    socket = pair.client
    extra = Subflows.open(socket, local: "127.0.0.2")
    WRONG.each do |call, (kind, remedy)|
      error = assert_raises(kind, remedy) { call.call(socket, extra) }
      assert_includes error.message, remedy
    end
    assert_equal 2, Subflows.list(socket).size
    assert_equal extra.to_h.inspect, Marshal.load(Marshal.dump(extra.to_h)).inspect
  end
end
