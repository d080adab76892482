# frozen_string_literal: true

# Names resolved by Ruby, for the verbs that make sockets.
module Subflows
  class << self
    private

    # @return [Array<Addrinfo>] every address of a name
    def remote_ends(host, port)
      Addrinfo.getaddrinfo(host, port, nil, :STREAM)
    end

    # @return [Array<Addrinfo>, Integer] every address of a name; without a host, the port
    def local_ends(host, port)
      ends = Addrinfo.getaddrinfo(host == "" ? nil : host, port, nil, :STREAM, nil, Socket::AI_PASSIVE)
      host.to_s.empty? ? ends.first.ip_port : ends
    end

    # @return [Integer] Socket::AF_INET for +:INET+
    def family_number(family)
      family.is_a?(Integer) ? family : Socket.const_get("AF_#{family.to_s.delete_prefix("AF_")}")
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
