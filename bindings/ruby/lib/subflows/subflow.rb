# frozen_string_literal: true

module Subflows
  # Lists the live subflows of a connection, in the order in which they were opened.
  #
  # A subflow that is being opened is listed with the state +:syn_sent+; closed ones are not listed,
  # not even the initial one. Without a connection the list is empty. Needs no privilege;
  # Linux 5.16.
  #
  # @param sock [IO, #to_io, Integer]
  # @return [Array<Subflow>]
  # @raise [NotMptcpError] for plain TCP and after fallback
  def self.list(sock)
    Native.list(sock)
  end

  # Tells what {list} does not: backup in either direction, address ids, whether the subflow is
  # fully joined, its interface and its congestion control.
  #
  # Needs no privilege; Linux 5.9.
  #
  # @param sock [IO, #to_io, Integer]
  # @param id [Integer]
  # @return [Details]
  # @raise [NoSuchSubflowError, ClosedError, NotMptcpError, OtherNamespaceError]
  def self.details(sock, id)
    Native.details(sock, id)
  end

  # Closes one subflow and leaves the connection open.
  #
  # Data that was on its way there is sent again on the others. Needs CAP_NET_ADMIN.
  #
  # @param sock [IO, #to_io, Integer]
  # @param id [Integer]
  # @param force [Boolean] also the last one that works
  # @return [nil]
  # @raise [InvalidStateError] for the last one that works, without force
  # @raise [NoSuchSubflowError, ClosedError, NotMptcpError, NotPermittedError, OtherNamespaceError,
  #   UnsupportedError]
  def self.close(sock, id, force: false)
    Native.close(sock, id, force)
  end
end
