# frozen_string_literal: true

module Subflows
  # Lists every Multipath TCP connection of the calling thread's network namespace, on request with
  # its subflows.
  #
  # Needs no privilege; Linux 5.9.
  #
  # @param subflows [Boolean] with their subflows
  # @return [Array<Connection>]
  # @raise [UnsupportedError] where the kernel has no mptcp_diag
  def self.connections(subflows: false)
    Native.connections(subflows)
  end

  # Looks up one connection of the calling thread's network namespace by its local token, in
  # constant time, without its subflows.
  #
  # Needs no privilege; Linux 5.9.
  #
  # @param token [Integer]
  # @return [Connection]
  # @raise [ClosedError] where no connection has that token
  # @raise [UnsupportedError] where the kernel has no mptcp_diag
  def self.connection(token)
    Native.connection(token)
  end
end
