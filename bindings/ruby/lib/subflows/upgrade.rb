# frozen_string_literal: true

module Subflows
  # Makes an unconnected, unbound TCP socket a Multipath TCP socket, under the same descriptor.
  #
  # The options that were set are carried over. Needs no privilege; Linux 5.16.
  #
  # @param sock [IO, #to_io, Integer]
  # @return [nil]
  # @raise [InvalidStateError] for a socket that is bound, connected, listening, watched by epoll
  #   through another descriptor, or has an option that cannot be carried; it is then as it was
  def self.upgrade(sock)
    Native.upgrade(sock)
  end
end
