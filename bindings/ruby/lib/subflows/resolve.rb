# frozen_string_literal: true

# Names resolved by Ruby, for the verbs that make sockets.
module Subflows
  class << self
    private

    # @return [Array<Addrinfo>] every address of a name
    def remote_ends(host, port)
      check_end(host, port)
      Addrinfo.getaddrinfo(host, port, nil, :STREAM)
    end

    # @return [Array<Addrinfo>, Integer] every address of a name; without a host, the port
    def local_ends(host, port)
      check_end(host, port)
      ends = Addrinfo.getaddrinfo(host == "" ? nil : host, port, nil, :STREAM, nil, Socket::AI_PASSIVE)
      host.to_s.empty? ? ends.first.ip_port : ends
    end

    # The resolver takes any number for a port, and uses its last 16 bits.
    def check_end(host, port)
      if port.is_a?(Integer) && !(0..65_535).cover?(port)
        raise RangeError, "#{port} is out of range: pass a port from 0 to 65535"
      end

      at = host.is_a?(String) && host.match(/\A\[?(?<host>[^:]*|.*:.*(?=\]))\]?:(?<port>\d+)\z/)
      raise ArgumentError, "#{host.inspect} is not a host: pass #{at[:host].inspect}, #{at[:port]}" if at
      return if host.nil? || host.is_a?(String)

      raise TypeError, "#{host.inspect} is not a host: pass a name or an address, and the port after it"
    end

    # @return [Integer] Socket::AF_INET for +:INET+
    def family_number(family)
      return family if family.is_a?(Integer)

      name = "AF_#{family.to_s.upcase.delete_prefix("AF_")}"
      return Socket.const_get(name) if Socket.const_defined?(name)

      raise ArgumentError, "#{family.inspect} is not an address family: pass :INET or :INET6"
    end

    # Passes an object to the block and closes it afterwards. Without a block, returns the object.
    def lend(closeable)
      return closeable unless block_given?

      begin
        yield closeable
      ensure
        closeable.close
      end
    end
  end
end
