# frozen_string_literal: true

require_relative "helper"

# Without these, a listener without a host could reject the clients of one family.
class ListenTest < SubflowsTest
  def test_without_a_host_both_families_are_accepted
    [nil, ""].each do |host|
      Subflows.listen(host, 0) do |server|
        assert server.local_address.ipv6?
        assert accepts?(server, "::1") && accepts?(server, "127.0.0.1")
      end
      Subflows.listen(host, "0", only_v6: true) do |server|
        assert accepts?(server, "::1")
        refute accepts?(server, "127.0.0.1")
      end
    end
  end

  def test_with_a_host_its_own_family_is_accepted
    Subflows.listen("0.0.0.0", 0) do |server|
      assert accepts?(server, "127.0.0.1")
      refute accepts?(server, "::1")
    end
    Subflows.listen("::", 0) do |server|
      assert accepts?(server, "::1") && accepts?(server, "127.0.0.1")
    end
  end

  def test_a_port_that_one_family_uses_is_taken
    Subflows.listen("0.0.0.0", 0) do |server|
      port = server.local_address.ip_port
      assert_raises(Subflows::AddressNotAvailableError) { Subflows.listen(nil, port) }
    end
  end

  private

  # Whether a client that connects to this address is accepted.
  def accepts?(server, host)
    TCPSocket.open(host, server.local_address.ip_port) { server.accept.close }
    true
  rescue Errno::ECONNREFUSED
    false
  end

  def test_processes_inherit_the_mode
    [true, false].each do |blocking|
      Subflows.listen("127.0.0.1", 0, blocking: blocking) do |server|
        program = 'require "io/nonblock"; print IO.for_fd(9, autoclose: false).nonblock?'
        assert_equal (!blocking).to_s, IO.popen([RbConfig.ruby, "-e", program, 9 => server], &:read)
        # It serves here as well, in either mode.
        client = later(Subflows.connect("127.0.0.1", server.local_address.ip_port))
        later(server.accept).write("x")
        assert_equal "x", client.read(1)
      end
    end
  end
end
