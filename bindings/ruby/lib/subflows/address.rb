# frozen_string_literal: true

module Subflows
  # Lists the local addresses that a connection knows: those that its live subflows use, and those
  # that were announced or used before.
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
