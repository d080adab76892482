# frozen_string_literal: true

require "io/nonblock"
require "ipaddr"
require_relative "helper"
require "net/protocol"

# Without these, the sockets of the library would not be Ruby's own, or it would reject Ruby's.
class SocketsTest < SubflowsTest
  def test_sockets_are_rubys_own
    Subflows.listen("localhost", 0) do |server|
      assert_instance_of TCPServer, server
      Subflows.connect("localhost", server.local_address.ip_port) do |client|
        assert_instance_of TCPSocket, client
        accepted = later(server.accept)
        assert_instance_of TCPSocket, accepted
        client.puts("a line")
        assert_equal "a line\n", accepted.gets
        assert_equal :mptcp, Subflows.status(client).state
      end
    end
    assert_instance_of Socket, later(Subflows.socket(:INET6))
  end

  # Ruby asks a Fiber scheduler only for sockets in non-blocking mode.
  def test_sockets_are_as_ruby_makes_them
    theirs = later(Socket.new(:INET, :STREAM))
    traits = %i[nonblock? sync binmode? close_on_exec? external_encoding do_not_reverse_lookup]
    [Subflows.socket, pair.client, pair.listener].each do |ours|
      later(ours)
      traits.each do |trait|
        assert_equal theirs.public_send(trait), ours.public_send(trait), trait
      end
    end
  end

  def test_at_the_end_of_a_block_all_is_closed
    before = descriptors
    kept = nil
    assert_raises(IndexError) do
      Subflows.listen("127.0.0.1", 0) do |server|
        kept = server
        raise IndexError
      end
    end
    assert_predicate kept, :closed?
    assert_equal :made, Subflows.socket { :made }
    # The collector may close what earlier tests forgot.
    assert_operator descriptors, :<=, before
  end

  def test_each_address_of_a_name_is_tried
    Subflows.listen("127.0.0.1", 0) do |server|
      # The name also has ::1, at which no server listens.
      Subflows.connect("localhost", server.local_address.ip_port) { |client| assert client }
    end
    assert_raises(SocketError) { Subflows.connect("no such host", 1) }
  end

  def test_any_socket_will_do
    connection = pair
    number = connection.client.fileno
    token = Subflows.status(connection.client).token
    holder = Struct.new(:to_io).new(connection.client)
    [number, holder, Socket.for_fd(number).tap { |socket| socket.autoclose = false }].each do |sock|
      assert_equal token, Subflows.status(sock).token
    end
  end

  def test_a_connection_under_tls
    key = OpenSSL::PKey::RSA.new(2048)
    certificate = OpenSSL::X509::Certificate.new
    certificate.public_key = key.public_key
    certificate.not_before = Time.now - 60
    certificate.not_after = Time.now + 60
    certificate.sign(key, "SHA256")
    serving = OpenSSL::SSL::SSLContext.new
    serving.cert = certificate
    serving.key = key
    connection = pair
    answering = Thread.new do
      tls = OpenSSL::SSL::SSLSocket.new(connection.server, serving).accept
      tls.write(tls.readpartial(100))
      tls
    end
    tls = OpenSSL::SSL::SSLSocket.new(connection.client).connect
    extra = Subflows.open(tls, local: IPAddr.new("127.0.0.2"))
    tls.write("over two paths")
    assert_equal "over two paths", tls.readpartial(100)
    assert_equal [1, extra.id], Subflows.list(tls).map(&:id)
    assert_equal 2, Subflows.list(answering.value).size
  end

  def test_a_server_is_made_multipath_before_it_listens
    socket = Socket.new(:INET, :STREAM)
    socket.setsockopt(:SOCKET, :REUSEADDR, true)
    number = socket.fileno
    assert_nil Subflows.upgrade(socket)
    assert_equal number, socket.fileno
    assert socket.getsockopt(:SOCKET, :REUSEADDR).bool
    socket.bind(Addrinfo.tcp("127.0.0.1", 0))
    socket.listen(5)
    socket.autoclose = false
    server = later(TCPServer.for_fd(socket.fileno))
    client = later(Subflows.connect("127.0.0.1", server.local_address.ip_port))
    assert_equal :mptcp, Subflows.status(client).state
    assert_equal :mptcp, Subflows.status(later(server.accept)).state
  end

  def test_control_is_taken_and_paths_come_and_go
    connection = pair
    assert_equal :userspace, Subflows.status(connection.client).path_manager
    extra = Subflows.open(connection.client, local: Addrinfo.ip("127.0.0.2"), backup: true)
    assert_predicate Subflows.details(connection.client, extra.id), :backup?
    assert_nil Subflows.set_backup(connection.client, extra.id, false)
    refute_predicate Subflows.details(connection.client, extra.id), :backup?
    assert_nil Subflows.close(connection.client, extra.id)
    assert_raises(Subflows::InvalidStateError) { Subflows.close(connection.client, 1) }
    assert connection.moves_data?
    Subflows.close(connection.client, 1, force: true)
    eventually("it is closed") { Subflows.list(connection.client).empty? }
  end

  def test_what_is_announced_is_withdrawn_at_the_end_of_the_block
    connection = pair
    kept = nil
    told = Subflows.announce(connection.client, "127.0.0.5", port: 0) do |announced|
      kept = announced
      announced.address
    end
    assert_equal "127.0.0.5", told.ip_address
    assert_operator told.ip_port, :>, 0
    assert_raises(IOError) { kept.id }
    assert_nil kept.withdraw
  end

  def test_strangers_are_turned_away
    announced = later(Subflows.announce(pair.client, "127.0.0.5", port: 0))
    stranger = later(TCPSocket.new("127.0.0.5", announced.address.ip_port))
    assert IO.select([announced], nil, nil, 5)
    assert_equal 1, announced.turn_away
    assert_raises(Errno::ECONNRESET) { stranger.readpartial(1) }
  end

  def test_events_are_enumerable
    connection = pair
    Subflows.events(connection.client) do |events|
      assert_nil events.next(0)
      assert_equal [], events.each(timeout: 0.01).to_a
      extra = Subflows.open(connection.client, local: "127.0.0.2")
      Subflows.close(connection.client, extra.id)
      kinds = events.each(timeout: 5).lazy.map(&:kind).first(2)
      assert_equal %i[subflow_established subflow_closed], kinds
      assert_raises(Timeout::Error) { Timeout.timeout(0.1) { events.first } }
    end
    Subflows::Events.of_namespace do |events|
      events.set_buffer(1 << 20)
      pair
      assert_equal :listener_created, events.next(5).kind
    end
  end

  Leads = Struct.new(:socket)

  def test_what_leads_to_a_socket_is_taken
    client = pair.client
    buffered = Net::BufferedIO.new(client)
    [client, client.fileno, buffered, Leads.new(client), Leads.new(buffered)].each do |given|
      assert_equal([1], Subflows.list(given).map(&:id))
    end
    endless = Leads.new
    endless.socket = endless
    assert_raises(TypeError) { Subflows.list(endless) }
  end
end
