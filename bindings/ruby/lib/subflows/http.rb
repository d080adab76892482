# frozen_string_literal: true

require "net/http"
require "subflows"

module Subflows
  # Net::HTTP over Multipath TCP.
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
  # Between +start+ and +finish+ it can be passed to every method of {Subflows}, and means the
  # connection that it uses at that moment: if the server has closed it, Net::HTTP connects again.
  class HTTP < Net::HTTP
    # Whether to take control before connecting, as {Subflows.open} requires.
    attr_accessor :control
    # The name of the interface to send by.
    attr_accessor :interface

    # @return [TCPSocket] the connection that it uses now
    # @raise [IOError] if it is not started
    def to_io
      raise IOError, "the HTTP session has not started: call start first" unless @socket

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

    # Net::HTTP connects by Socket or TCPSocket, depending on its version. It has no other place to
    # pass a connection in, so these two constants replace them inside Net::HTTP; its proxies, TLS
    # and timeouts are unchanged, and so are other programs' Net::HTTP objects.
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
