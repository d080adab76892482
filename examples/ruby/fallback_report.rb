# frozen_string_literal: true

# Reports whether a server, and every middlebox on the way to it, supports Multipath TCP.
#
# fallback_report.rb HOST:PORT. The server must send something. Requires no privilege.

require "subflows"

abort "usage: fallback_report.rb HOST:PORT" unless ARGV.size == 1
host, _, port = ARGV.first.rpartition(":")
$stdout.sync = true

def verdict(socket)
  case Subflows.status(socket).state
  when :mptcp then "Multipath TCP"
  when :fell_back then "plain TCP: the server or a middlebox does not speak Multipath TCP"
  when :tcp then "plain TCP: this kernel has no Multipath TCP, or it is switched off"
  else "the connection is closed"
  end
end

Subflows.connect(host, port, timeout: 10) do |socket|
  puts "after the handshake: #{verdict(socket)}"

  # Some middleboxes strip the options of data segments only, so check again.
  socket.read(1)
  puts "after the first byte: #{verdict(socket)}"
end
