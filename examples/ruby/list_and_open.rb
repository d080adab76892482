# frozen_string_literal: true

# Connects, opens a second path over an interface, lists both, and closes it again.
#
# list_and_open.rb HOST:PORT INTERFACE, with CAP_NET_ADMIN. The server must send something.

require "subflows"

server, interface = ARGV
abort "usage: list_and_open.rb HOST:PORT INTERFACE" unless server && interface
host, _, port = server.rpartition(":")

Subflows.connect(host, port, control: true) do |socket|
  # A connection accepts further subflows after its first byte of data.
  socket.read(1)

  extra = Subflows.open(socket, interface: interface)
  Subflows.list(socket).each do |path|
    local, remote = [path.local, path.remote].map(&:inspect_sockaddr)
    puts "#{path.id} #{local} -> #{remote} #{path.rtt_us} us"
  end
  Subflows.close(socket, extra.id)
  puts "#{Subflows.list(socket).size} left"
end
