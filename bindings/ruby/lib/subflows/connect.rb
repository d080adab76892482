# frozen_string_literal: true

module Subflows
  # A pending connection: a wait, for programs that have a loop of their own.
  #
  # Until +advance+ returns the socket, wait for {#to_io} to be writable, at most +time_left+. Ask for
  # {#to_io} again after each +advance+: the next address has another descriptor.
  class Connecting
    include Wait

    # @!method advance
    #   Checks whether the connection is made, without waiting.
    #   @return [TCPSocket, nil]
    # @!method time_left
    #   @return [Float, nil] how long to wait at most, in seconds; nil without a timeout
    # @!method fileno
    #   @return [Integer] the descriptor to poll for writability

    private

    def pause(seconds)
      to_io.wait_writable(seconds)
    end
  end
end
