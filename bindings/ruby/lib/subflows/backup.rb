# frozen_string_literal: true

module Subflows
  # Asks the peer to use a subflow as backup only, or no longer (MP_PRIO), and does so itself.
  #
  # A backup carries data only while no other subflow can. Needs CAP_NET_ADMIN and a connection that
  # the application controls; Linux 5.19.
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
