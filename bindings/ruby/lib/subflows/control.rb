# frozen_string_literal: true

module Subflows
  # Hands the path management of one connection to the application, before it is connected.
  #
  # {open}, {set_backup} and {announce} need it. The namespace's default stays as it was, whatever
  # happens to this process. A controlled connection ignores the endpoints configured with
  # `ip mptcp`: it has the paths that the application opens, and no others. Waits at most one second
  # for others that are doing the same. Needs CAP_NET_ADMIN; Linux 5.19.
  #
  # @param sock [IO, #to_io, Integer]
  # @return [nil]
  # @raise [InvalidStateError, NotMptcpError, NotPermittedError, BusyError, OtherNamespaceError,
  #   UnsupportedError]
  def self.take_control(sock)
    Native.take_control(sock)
  end
end
