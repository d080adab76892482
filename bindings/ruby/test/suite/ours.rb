# frozen_string_literal: true

# Loaded before Ruby's own tests of its sockets: whatever they make for TCP is one of ours.

require "subflows"

# How many there were: a suite that has made none proves nothing.
module Ours
  MADE = Hash.new(0)

  at_exit { File.write(ENV.fetch("MADE"), MADE.map { |name, count| "#{name} #{count}\n" }.join) }

  # As Ruby's own sockets fail.
  def self.made(name)
    MADE[name] += 1
    yield
  rescue Subflows::Error => error
    raise unless error.errno

    raise SystemCallError.new(error.message, error.errno)
  end

  # Unconnected ones are upgraded.
  module Upgraded
    def initialize(*)
      super
      return unless local_address.ip? && getsockopt(:SOCKET, :TYPE).int == ::Socket::SOCK_STREAM

      Ours.made(:upgraded) { Subflows.upgrade(self) }
    end
  end
  Socket.prepend(Upgraded)

  # Those that are connected or listen at once are made so.
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
