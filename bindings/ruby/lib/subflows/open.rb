# frozen_string_literal: true

module Subflows
  # A subflow that is being opened: a wait, for programs that have a loop of their own.
  #
  # Until +advance+ gives the subflow, wait for {#to_io} to be readable, at most +time_left+.
  # Closed or forgotten before that, the half-open subflow is closed again.
  class Opening
    include Wait

    # Sends the first segment of one more subflow, and waits for nothing.
    #
    # @param (see Subflows.open)
    def self.new(sock, local: nil, interface: nil, remote: nil, local_port: 0, backup: false,
                 timeout: 5.0, unbound: false)
      Native.open(sock, local, interface, remote, local_port, backup, timeout, unbound)
    end

    # @!method advance
    #   Looks whether the subflow is usable, without waiting.
    #   @return [Subflow, nil]
    # @!method time_left
    #   @return [Float] how long to wait at most, in seconds
    # @!method fileno
    #   @return [Integer] the descriptor to poll for readability, the same each time

    private

    def pause(seconds)
      to_io.wait_readable(seconds)
    end
  end

  # Opens one more subflow of a connection and waits until it is usable.
  #
  # Usable means fully joined: both ends have acknowledged it, and it carries data. A connection
  # becomes ready for this when its first byte is acknowledged; while data is on its way the call
  # waits for that, and fails at once where nothing is. A connection that fails to open a subflow
  # goes on as before. Needs CAP_NET_ADMIN and a connection that the application controls;
  # Linux 5.19.
  #
  # @param sock [IO, #to_io, Integer]
  # @param local [String, IPAddr, Addrinfo, nil] the local address; nil: chosen
  # @param interface [String, nil] the interface to leave by; nil: that of the local address
  # @param remote [Addrinfo, Array(String, Integer), nil] the remote end; nil: the peer
  # @param local_port [Integer] the source port; 0: a free one
  # @param backup [Boolean] to be used only when no other path works
  # @param timeout [Numeric] in seconds
  # @param unbound [Boolean] leave by whatever the routing table says, for a local address too
  # @return [Subflow]
  # @raise [NotConnectedError, ClosedError, NotMptcpError, NotReadyError, NotControlledError,
  #   NotPermittedError, OtherNamespaceError, AddressNotAvailableError, UnreachableError,
  #   RefusedError, TimedOutError, PeerLimitError]
  def self.open(sock, local: nil, interface: nil, remote: nil, local_port: 0, backup: false,
                timeout: 5.0, unbound: false)
    Opening.new(sock, local: local, interface: interface, remote: remote, local_port: local_port,
                      backup: backup, timeout: timeout, unbound: unbound).wait
  end
end
