# frozen_string_literal: true

require_relative "helper"
require "subflows/http"

# Without these, a download by Net::HTTP could use one path only.
class HTTPTest < SubflowsTest
  # Answers every request with the number of bytes in its path, on persistent connections.
  def server(**options)
    listening = later(Subflows.listen("127.0.0.1", 0, **options))
    Thread.new do
      loop do
        Thread.new(listening.accept) { |client| serve(client) }.report_on_exception = false
      end
    end.report_on_exception = false
    listening.local_address.ip_port
  end

  def serve(client)
    while (request = client.gets("\r\n\r\n"))
      size = Integer(request[%r{\AGET /(\d+)}, 1])
      client.write("HTTP/1.1 200 OK\r\nContent-Length: #{size}\r\n\r\n", "x" * size)
    end
  end

  def test_a_download_over_two_paths
    http = Subflows::HTTP.new("127.0.0.1", server)
    http.control = true
    assert_raises(IOError) { Subflows.status(http) }
    http.start do
      assert_equal "x", http.get("/1").body
      extra = Subflows.open(http, local: "127.0.0.2")
      assert_equal 4 << 20, http.get("/#{4 << 20}").body.bytesize
      carried = Subflows.list(http).to_h { |path| [path.id, path.bytes_received] }
      assert_equal [1, extra.id], carried.keys
      assert_operator carried[extra.id], :>, 0
    end
  end

  def test_timeouts_and_refusals_are_those_of_net_http
    nobody = silence
    http = Subflows::HTTP.new("127.0.0.9", nobody.ip_port)
    http.open_timeout = 0.1
    assert_raises(Net::OpenTimeout) { http.start }
    free = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    error = assert_raises(Subflows::RefusedError) { Subflows::HTTP.new("127.0.0.1", free).start }
    assert_operator Errno::ECONNREFUSED, :===, error
  end

  def test_others_keep_their_tcp
    Net::HTTP.start("127.0.0.1", server) do |http|
      assert_equal "x", http.get("/1").body
      assert_equal :tcp, Subflows.status(http.instance_variable_get(:@socket).io).state
    end
  end
end
