# frozen_string_literal: true

module Subflows
  # Reads the counters of a connection.
  #
  # A counter that this kernel does not have is nil. Needs no privilege; Linux 5.16.
  #
  # @param sock [IO, #to_io, Integer]
  # @return [Info]
  # @raise [NotMptcpError] for plain TCP and after fallback
  def self.info(sock)
    Native.info(sock)
  end
end
