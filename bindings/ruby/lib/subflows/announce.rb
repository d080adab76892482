# frozen_string_literal: true

module Subflows
  # An address that was announced to the peer. When the object is closed or collected, the address is
  # withdrawn.
  class Announced
    include Closeable

    # @!method id
    #   @return [Integer] the address id by which the peer knows it
    # @!method address
    #   @return [Addrinfo] the address; its port is 0 if none was announced
    # @!method fileno
    #   The listener's descriptor. It becomes readable when a foreign client has connected; the
    #   subflows of the peer do not make it readable.
    #   @return [Integer]
    # @!method turn_away
    #   Resets every foreign client that waits at the listener. Never waits.
    #   @return [Integer] how many

    # Withdraws the address and closes its subflows. A second call does nothing.
    #
    # @return [nil]
    # @raise [ClosedError] if the connection has ended: nothing was left to withdraw
    def withdraw
      @io&.close
      revoke
    end
  end
end
