# frozen_string_literal: true

module Subflows
  # Asks the peer to use a subflow only when no other works, or to use it like the others again.
  #
  # Our own sending heeds it as well. Needs CAP_NET_ADMIN and a connection that the application
  # controls; Linux 5.19.
  #
  # @param sock [IO, #to_io, Integer]
  # @param id [Integer]
  # @param backup [Boolean]
  # @return [nil]
  # @raise [NoSuchSubflowError, NotControlledError, ClosedError, NotMptcpError, NotPermittedError,
  #   OtherNamespaceError]
  def self.set_backup(sock, id, backup)
    Native.set_backup(sock, id, backup)
  end
end
