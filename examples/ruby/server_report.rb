# frozen_string_literal: true

# A server that reports the paths of its clients: a line per path, after a client's first byte.
#
# server_report.rb ADDRESS:PORT CLIENTS serves that many clients and ends. Requires no privilege.

require "subflows"

at, clients = ARGV
abort "usage: server_report.rb ADDRESS:PORT CLIENTS" unless at && clients
address, _, port = at.rpartition(":")
$stdout.sync = true

def report(client)
  peer = client.remote_address.inspect_sockaddr
  case Subflows.status(client)
  in {state: :mptcp}
    Subflows.list(client).each do |path|
      backup = ", backup" if Subflows.details(client, path.id).is_remote_backup
      puts "#{peer}: #{path.local.inspect_sockaddr} <- #{path.remote.inspect_sockaddr}#{backup}"
    end
  in {state:}
    puts "#{peer}: one path only (#{state})"
  end
end

Subflows.listen(address, port) do |server|
  puts "listening on #{server.local_address.inspect_sockaddr}"

  Integer(clients).times do
    client = server.accept
    client.write("hello\n")
    client.read(1)
    report(client)
    client.close
  end
end
