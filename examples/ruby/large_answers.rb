# frozen_string_literal: true

# A server that opens a second path for large answers, and closes it after them.
#
# large_answers.rb ADDRESS:PORT INTERFACE CLIENTS serves that many clients and ends. Each line of a
# client's is a number of bytes, and is answered by as many. The second path leads by the interface
# to an address that the client has announced, with a port: without that, nobody listens at its
# side. To a client behind a NAT the server would announce its own, and the client would open.
#
# With CAP_NET_ADMIN, and with `sysctl net.mptcp.path_manager=userspace`, by which this program
# controls what it accepts.

require "subflows"

LARGE = 1 << 20
PATTERN = (0..255).to_a.pack("C*")

at, interface, clients = ARGV
abort "usage: large_answers.rb ADDRESS:PORT INTERFACE CLIENTS" unless at && interface && clients
address, _, port = at.rpartition(":")
$stdout.sync = true

# Nothing, where the client speaks plain TCP: it has one path, and tells of no other.
def events_of(client)
  Subflows.events(client)
rescue Subflows::NotMptcpError
  nil
end

# The address of which the client has told since this was asked last.
def last_announced(events)
  told = events.each(timeout: 0).select { |event| event.kind == :address_announced }
  told.last&.remote
end

def second_path(client, interface, remote)
  Subflows.open(client, interface: interface, remote: remote, timeout: 1)
rescue Subflows::Error => error
  # Without a second path the answer goes over the first.
  warn error.message
end

def serve(client, interface)
  events = events_of(client)
  announced = extra = nil
  while (line = client.gets)
    size = Integer(line)
    # Who asks again has the whole answer: nothing is on its way over this path.
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
