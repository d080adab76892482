# frozen_string_literal: true

module Subflows
  # Lists the addresses of this end that the connection uses or has announced.
  #
  # What the peer announced is told by {events} alone. Needs no privilege; Linux 5.16.
  #
  # @param sock [IO, #to_io, Integer]
  # @return [Array<Address>]
  # @raise [NotMptcpError, OtherNamespaceError]
  def self.addresses(sock)
    Native.addresses(sock)
  end
end
