# frozen_string_literal: true

# Starts a server with a Multipath TCP listener, as systemd's socket activation does.
#
# activate.rb HOST PORT COMMAND [ARGUMENT...]: the command finds the listener as descriptor 3, and the
# number of listeners in LISTEN_FDS. Port 0 chooses a free port. Requires no privilege.
#
#   ruby activate.rb 0.0.0.0 9292 puma --bind tcp://0.0.0.0:9292 config.ru

require "subflows"

host, port, *command = ARGV
abort "usage: activate.rb HOST PORT COMMAND [ARGUMENT...]" if command.empty?

begin
  # Ruby's own listeners do not block, but most servers expect one that does.
  listener = Subflows.listen(host, port, blocking: true)
rescue Subflows::Error => error
  abort error.message
end
# On standard error, because standard output is the server's.
warn "listening on #{listener.local_address.inspect_sockaddr}"
# The server keeps this process's number.
environment = { "LISTEN_FDS" => "1", "LISTEN_PID" => Process.pid.to_s }
exec(environment, *command, 3 => listener)
