# frozen_string_literal: true

require "net/http"
require "subflows"

module Subflows
  # Net::HTTP over Multipath TCP: requests go over as many paths as there are.
  #
  #   require "subflows/http"
  #
  #   http = Subflows::HTTP.new("server.example", 443)
  #   http.use_ssl = true
  #   http.control = true
  #   http.start do
  #     http.get("/")
  #     Subflows.open(http, interface: "wwan0")
  #     http.get("/large") { |part| file.write(part) }
  #   end
  #
  # While it is started it can be passed to every verb, and is then the connection that it uses at
  # that moment: Net::HTTP makes a new one where the server has closed the old.
  class HTTP < Net::HTTP
    # Takes control before connecting, so that {Subflows.open} may be used.
    attr_accessor :control
    # The name of the interface to leave by.
    attr_accessor :interface

    # @return [TCPSocket] the connection that it uses now
    # @raise [IOError] where there is none
    def to_io
      raise IOError, "HTTP session not yet started" unless @socket

      @socket.io.to_io
    end

    # @api private
    def dial(host, port, timeout)
      local = Addrinfo.tcp(local_host || "0.0.0.0", local_port || 0) if local_host || local_port
      Subflows.connect(host, port, local: local, interface: interface, timeout: timeout,
                                   control: control || false)
    rescue TimedOutError => error
      raise Net::OpenTimeout, error.message
    end

    CALLER = :subflows_http
    private_constant :CALLER

    # What Net::HTTP calls Socket and TCPSocket, by one of which it connects, depending on its
    # version. It has no other place for a connection of ours, and what it does around that
    # (proxies, TLS, timeouts) stays its own; so do the connections of all others.
    #
    # @api private
    module Dial
      def self.by(host, port, timeout)
        http = Thread.current[CALLER]
        http ? http.dial(host, port, timeout) : yield
      end

      # @api private
      class Socket < ::Socket
        def self.tcp(host, port, *local, connect_timeout: nil, **options)
          Dial.by(host, port, connect_timeout) do
            ::Socket.tcp(host, port, *local, connect_timeout: connect_timeout, **options)
          end
        end
      end

      # @api private
      class TCPSocket < ::TCPSocket
        def self.open(host, port, *local, **options)
          Dial.by(host, port, options[:open_timeout]) do
            ::TCPSocket.open(host, port, *local, **options)
          end
        end
      end
    end

    private

    def connect
      before = Thread.current[CALLER]
      Thread.current[CALLER] = self
      super
    ensure
      Thread.current[CALLER] = before
    end
  end
end

Net::HTTP::Socket = Subflows::HTTP::Dial::Socket
Net::HTTP::TCPSocket = Subflows::HTTP::Dial::TCPSocket
