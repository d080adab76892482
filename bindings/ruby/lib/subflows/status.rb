# frozen_string_literal: true

module Subflows
  # Tells what a socket is: unconnected, listening, connecting, Multipath TCP, fallen back, plain
  # TCP, or closed.
  #
  # Fallback can come late, so ask again rather than remember. Needs no privilege; Linux 5.16.
  #
  # @param sock [IO, #to_io, Integer]
  # @return [Status]
  def self.status(sock)
    Native.status(sock)
  end
end
