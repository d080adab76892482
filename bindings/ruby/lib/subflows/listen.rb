# frozen_string_literal: true

module Subflows
  # Listens for Multipath TCP connections; plain TCP clients are accepted as well.
  #
  # Who manages the paths of the connections that it accepts, the namespace decides:
  # net.mptcp.path_manager.
  #
  # Requires no privilege; Linux 5.6 or newer.
  #
  # @param host [String, nil] a local address or its name; nil is any address
  # @param port [Integer, String] 0 for a free one
  # @param interface [String, nil] only what comes in by this interface
  # @param backlog [Integer] how many may wait to be accepted
  # @param only_v6 [Boolean] on an IPv6 address: no IPv4 connections
  # @yieldparam server [TCPServer] closed at the end of the block
  # @return [TCPServer]
  # @raise [AddressNotAvailableError]
  # @raise [NotPermittedError] for a port below 1024
  def self.listen(host, port, interface: nil, backlog: 4096, only_v6: false, &block)
    host = nil if host == ""
    addresses = Addrinfo.getaddrinfo(host, port, nil, :STREAM, nil, Socket::AI_PASSIVE)
    lend(Native.listen(addresses, interface, backlog, only_v6), &block)
  end
end
