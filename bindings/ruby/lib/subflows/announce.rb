# frozen_string_literal: true

module Subflows
  # An address that the peer was told of. Closed or forgotten, it is withdrawn.
  class Announced
    include Closeable

    # @!method id
    #   @return [Integer] the address id that the peer knows it by
    # @!method address
    #   @return [Addrinfo] the address; its port is 0 where none was announced
    # @!method fileno
    #   The listener, which becomes readable when a stranger has connected. A peer that joins us
    #   does not show here.
    #   @return [Integer]
    # @!method turn_away
    #   Resets every stranger who waits at the listener. Never waits.
    #   @return [Integer] how many

    # Withdraws the address and closes its subflows; a second time does nothing.
    #
    # @return [nil]
    # @raise [ClosedError] where the connection is over: there was nothing left to withdraw
    def withdraw
      @io&.close
      revoke
    end
  end

  # Tells the peer of one more local address, so that it can open subflows to it (ADD_ADDR).
  #
  # The result owns the announcement: closed or forgotten, the address is withdrawn, and subflows
  # that use it are closed. With a port it keeps a listener for the peer; call
  # {Announced#turn_away} when that becomes readable, and strangers who connect there are reset.
  # Needs CAP_NET_ADMIN and a connection that the application controls; Linux 5.19.
  #
  # @param sock [IO, #to_io, Integer]
  # @param address [String, IPAddr, Addrinfo]
  # @param port [Integer, nil] where the peer is to connect; nil: where it does already
  # @param backlog [Integer] how many may wait at the listener
  # @yieldparam announced [Announced] withdrawn at the end of the block
  # @return [Announced]
  # @raise [NotConnectedError, ClosedError, NotMptcpError, NotReadyError, NotControlledError,
  #   NotPermittedError, OtherNamespaceError, AddressNotAvailableError, UnsupportedError]
  def self.announce(sock, address, port: nil, backlog: 128, &block)
    lend(Native.announce(sock, address, port, backlog), &block)
  end
end
