# frozen_string_literal: true

module Subflows
  # A connection that is being made: a wait, for programs that have a loop of their own.
  #
  # Until +advance+ gives the socket, wait for {#to_io} to be writable, at most +time_left+. Ask for
  # {#to_io} again after each +advance+: the next address has another descriptor.
  class Connecting
    include Wait

    # Starts to connect; never waits for the network.
    #
    # @param remote [Addrinfo, Array(String, Integer), Array<Addrinfo>] where to; several addresses are
    #   tried in turn, with the whole timeout each
    # @param (see Subflows.connect)
    def self.new(remote, local: nil, interface: nil, timeout: nil, control: false)
      several = remote.is_a?(Array) && !remote.first.is_a?(String)
      Native.connect(several ? remote : [remote], local, interface, timeout, control)
    end

    # @!method advance
    #   Looks whether the connection is made, without waiting.
    #   @return [TCPSocket, nil]
    # @!method time_left
    #   @return [Float, nil] how long to wait at most, in seconds; nil without a timeout
    # @!method fileno
    #   @return [Integer] the descriptor to poll for writability

    private

    def pause(seconds)
      to_io.wait_writable(seconds)
    end
  end

  # Makes a stream socket, unconnected and unbound: Multipath TCP, or plain TCP where the kernel has
  # none, or it is switched off or forbidden ({status} then says so).
  #
  # It is closed on exec.
  #
  # Requires no privilege; Linux 5.6 or newer.
  #
  # @param family [Symbol, String, Integer] +:INET+ or +:INET6+
  # @yieldparam socket [Socket] closed at the end of the block
  # @return [Socket]
  def self.socket(family = :INET, &block)
    family = Socket.const_get("AF_#{family.to_s.delete_prefix("AF_")}") unless family.is_a?(Integer)
    lend(Native.socket(family), &block)
  end

  # Connects by Multipath TCP, or by plain TCP where either end has none.
  #
  # Each address that a name has is tried in turn, with the whole timeout each.
  #
  # Requires no privilege, or what {take_control} requires if +control+ of {connect} is set; Linux
  # 5.6 or newer.
  #
  # @param host [String, nil] a name or an address
  # @param port [Integer, String]
  # @param local [Addrinfo, Array(String, Integer), nil] the local end
  # @param interface [String, nil] the name of the interface to leave by
  # @param timeout [Numeric, nil] in seconds; nil: as long as the kernel tries
  # @param control [Boolean] take control before connecting, as {take_control} does
  # @yieldparam socket [TCPSocket] closed at the end of the block
  # @return [TCPSocket]
  # @raise [RefusedError, UnreachableError, TimedOutError, AddressNotAvailableError]; with control
  #   also what {take_control} raises
  def self.connect(host, port, local: nil, interface: nil, timeout: nil, control: false, &block)
    remotes = Addrinfo.getaddrinfo(host, port, nil, :STREAM)
    options = { local: local, interface: interface, timeout: timeout, control: control }
    lend(Connecting.new(remotes, **options).wait, &block)
  end
end
