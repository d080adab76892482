# frozen_string_literal: true

require "digest"
require "open3"
require "tempfile"
require_relative "helper"

# Without these, Ruby's own calls that move files could lose or damage data when a path is cut midway.
class TransfersTest < SubflowsTest
  # More than the buffers of both ends hold when half of it has arrived.
  SIZE = 32 << 20
  RULES = <<~RULES
    add table inet cut
    add chain inet cut arriving { type filter hook prerouting priority -300; }
    add rule inet cut arriving tcp sport %<port>d drop
    add rule inet cut arriving tcp dport %<port>d drop
  RULES

  # Takes what it is given, computes the checksum, and cuts a path when half of the data has arrived.
  class Sink
    def initialize(socket)
      @socket = socket
      @digest = Digest::SHA256.new
      @received = 0
    end

    def write(chunk)
      before = @received
      @digest << chunk
      @received += chunk.bytesize
      cut if before < SIZE / 2 && @received >= SIZE / 2
      chunk.bytesize
    end

    def hexdigest
      @digest.hexdigest
    end

    def mend
      system("nft", "delete", "table", "inet", "cut", exception: true)
    end

    private

    # The busier of the two paths loses every packet from now on, in both directions.
    def cut
      port = Subflows.list(@socket).max_by(&:bytes_received).remote.ip_port
      out, status = Open3.capture2e("nft", "--file", "-", stdin_data: format(RULES, port: port))
      status.success? or raise out
    end
  end

  # A connection of two subflows; a file whose content `send` sends; what `receive` passes to the sink must be
  # the same.
  def transfer(send:, receive:)
    both = pair
    Subflows.open(both.client)
    sink = Sink.new(both.server)
    Tempfile.create("data") do |file|
      file.binmode
      file.write(Random.new(3).bytes(SIZE))
      file.rewind
      sending = Thread.new do
        send.call(file, both.client)
        both.client.close_write
      end
      Timeout.timeout(90) { receive.call(both.server, sink) }
      sending.join
      assert_equal Digest::SHA256.file(file.path).hexdigest, sink.hexdigest
    end
    sink.mend
  end

  RECEIVE = ->(socket, sink) { IO.copy_stream(socket, sink) }

  def test_copy_stream_from_a_file_and_from_a_socket
    transfer(send: ->(file, socket) { IO.copy_stream(file, socket) }, receive: RECEIVE)
  end

  # Ruby uses splice(2) or read(2) and write(2) between two sockets.
  def test_copy_stream_between_sockets
    relayed = lambda do |socket, sink|
      here, there = UNIXSocket.pair.each { |end_| later(end_) }
      relay = Thread.new { IO.copy_stream(socket, here).tap { here.close_write } }
      IO.copy_stream(there, sink)
      assert_equal SIZE, relay.value
    end
    transfer(send: ->(file, socket) { IO.copy_stream(file, socket) }, receive: relayed)
  end

  def test_nonblocking_reads_and_writes
    send = lambda do |file, socket|
      while (chunk = file.read(100_000))
        until chunk.empty?
          written = socket.write_nonblock(chunk, exception: false)
          written == :wait_writable ? socket.wait_writable(10) : chunk = chunk.byteslice(written..)
        end
      end
    end
    receive = lambda do |socket, sink|
      while (chunk = socket.read_nonblock(1 << 16, exception: false))
        chunk == :wait_readable ? socket.wait_readable(10) : sink.write(chunk)
      end
    end
    transfer(send: send, receive: receive)
  end

  def test_a_socket_that_is_passed_on_while_data_arrive
    passed = lambda do |socket, sink|
      here, there = UNIXSocket.pair.each { |end_| later(end_) }
      here.send_io(socket)
      IO.copy_stream(later(there.recv_io(TCPSocket)), sink)
    end
    transfer(send: ->(file, socket) { IO.copy_stream(file, socket) }, receive: passed)
  end
end
