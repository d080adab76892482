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
end
