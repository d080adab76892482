# frozen_string_literal: true

# Loaded before Ruby's own socket tests: makes each of their TCP sockets a Multipath TCP socket.

require "subflows"

# Counts the sockets: a run without any would prove nothing.
module Ours
  MADE = Hash.new(0)

  at_exit { File.write(ENV.fetch("MADE"), MADE.map { |name, count| "#{name} #{count}\n" }.join) }

  # Raises the errors that Ruby's own sockets raise.
  def self.made(name)
    MADE[name] += 1
    yield
  rescue Subflows::Error => error
    raise unless error.errno

    raise SystemCallError.new(error.message, error.errno)
  end

  # Upgrades unconnected sockets.
  module Upgraded
    def initialize(*)
      super
      return unless local_address.ip? && getsockopt(:SOCKET, :TYPE).int == ::Socket::SOCK_STREAM

      Ours.made(:upgraded) { Subflows.upgrade(self) }
    end
  end
  Socket.prepend(Upgraded)

  # Replaces sockets that connect in their constructor.
  module Connected
    def new(host, port, local_host = nil, local_port = nil, connect_timeout: nil, **)
      local = Addrinfo.tcp(local_host, local_port || 0) if local_host
      Ours.made(:connected) { Subflows.connect(host, port, local: local, timeout: connect_timeout) }
    end
  end
  TCPSocket.singleton_class.prepend(Connected)

  # TCPServer.new([host,] port).
  module Listening
    def new(host = nil, port)
      Ours.made(:listening) { Subflows.listen(host, port) }
    end
  end
  TCPServer.singleton_class.prepend(Listening)
end
