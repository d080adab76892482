# frozen_string_literal: true

# A server that opens a second path for large answers, and closes it after them.
#
# large_answers.rb ADDRESS:PORT INTERFACE CLIENTS serves that many clients and ends. A client sends
# lines, each with a number of bytes, and gets as many bytes for each. The second path goes over the
# interface to an address that the client has announced with a port, at which the client listens.
# (If the client is behind a NAT, let the server announce an address and the client open the path.)
#
# Requires CAP_NET_ADMIN, and `sysctl net.mptcp.path_manager=userspace`, which puts the accepted
# connections under the control of this program.

require "subflows"

LARGE = 1 << 20
PATTERN = (0..255).to_a.pack("C*")

at, interface, clients = ARGV
abort "usage: large_answers.rb ADDRESS:PORT INTERFACE CLIENTS" unless at && interface && clients
address, _, port = at.rpartition(":")
$stdout.sync = true

# Returns nil for a plain TCP client, which has one path and announces no address.
def events_of(client)
  Subflows.events(client)
rescue Subflows::NotMptcpError
  nil
end

# The last address that the client has announced since the previous call.
def last_announced(events)
  announced = events.each(timeout: 0).select { |event| event.kind == :address_announced }
  announced.last&.remote
end

def second_path(client, interface, remote)
  Subflows.open(client, interface: interface, remote: remote, timeout: 1)
rescue Subflows::Error => error
  # The answer goes over the first path.
  warn error.message
end

def serve(client, interface)
  events = events_of(client)
  announced = extra = nil
  while (line = client.gets)
    size = Integer(line)
    # The client asks again after the whole answer, so this path carries no data.
    Subflows.close(client, extra.id) if extra
    announced = (last_announced(events) if events) || announced
    extra = (second_path(client, interface, announced) if size >= LARGE && announced)
    client.write((PATTERN * ((size / PATTERN.bytesize) + 1)).byteslice(0, size))
    puts "#{size} bytes over #{extra ? "two paths" : "one path"}"
  end
end

Subflows.listen(address, port) do |server|
  puts "listening on #{server.local_address.inspect_sockaddr}"

  Integer(clients).times do
    client = server.accept
    serve(client, interface)
    client.close
  end
end
