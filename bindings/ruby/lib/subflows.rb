# frozen_string_literal: true

require "socket"
require "io/wait"

require "subflows/version"
require "subflows/error"
require "subflows/kinds"
require "subflows/record"
require "subflows/native"
require "subflows/records"
require "subflows/enumerations"
require "subflows/wait"
require "subflows/connect"
require "subflows/listen"
require "subflows/open"
require "subflows/announce"
require "subflows/events"
require "subflows/verbs"

# See and steer the subflows of your own Multipath TCP connections, on stock Linux kernels.
#
#   socket = Subflows.connect("host", 443, control: true)
#   Subflows.list(socket)
#   extra = Subflows.open(socket, interface: "wwan0", backup: true)
#   Subflows.close(socket, extra.id)
#
# A *socket* is any IO, what has one (+to_io+, as OpenSSL::SSL::SSLSocket), or the number of a
# descriptor. It is borrowed for the call and never closed. The verbs keep no state: everything can
# be asked again from the kernel. What lives longer (an announced address, a stream of events, a
# pending open) is an object that is closed, at the end of a block or when it is forgotten.
#
# Reading needs no privilege. Acting needs CAP_NET_ADMIN over the network namespace, and for most
# verbs a connection that the application controls: see {take_control}.
#
# Every error is a {Error}, with a class per kind, and tells what to do in its +remedy+.
module Subflows
  private_constant :Native

  # Gives something to the block and closes it afterwards; without a block, gives it to the caller.
  #
  # @api private
  def self.lend(closeable)
    return closeable unless block_given?

    begin
      yield closeable
    ensure
      closeable.close
    end
  end
  private_class_method :lend
end
