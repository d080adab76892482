# frozen_string_literal: true

# A download that opens a second path after 1 MiB, and survives the loss of its first.
#
# download.rb HOST:PORT INTERFACE, with CAP_NET_ADMIN. Reads to the end and prints a checksum.

require "subflows"
require "zlib"

$stdout.sync = true

SECOND_PATH_AFTER = 1 << 20

server, interface = ARGV
abort "usage: download.rb HOST:PORT INTERFACE" unless server && interface
host, _, port = server.rpartition(":")

def open_second_path(socket, interface)
  path = Subflows.open(socket, interface: interface)
  puts "opened #{path.local.inspect_sockaddr} -> #{path.remote.inspect_sockaddr}"
rescue Subflows::Error => error
  # The download continues on the first path.
  warn error.message
end

Subflows.connect(host, port, control: true) do |socket|
  received = checksum = 0
  has_second = false
  while (data = socket.read(64 * 1024))
    received += data.bytesize
    checksum = Zlib.crc32(data, checksum)
    next if has_second || received < SECOND_PATH_AFTER

    has_second = true
    open_second_path(socket, interface)
  end
  puts format("%d bytes, checksum %08x", received, checksum)
end
