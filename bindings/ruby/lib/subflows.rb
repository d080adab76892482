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
require "subflows/resolve"
require "subflows/wait"
require "subflows/connect"
require "subflows/open"
require "subflows/probe"
require "subflows/doctor"
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
# A *socket* is an IO, an object with +to_io+ (such as OpenSSL::SSL::SSLSocket), or the number of a
# descriptor. It is borrowed for the call and never closed. The methods keep no state: each one asks
# the kernel. What lives longer (an announced address, a stream of events, a pending open) is an
# object, which is closed at the end of a block or when it is collected.
#
# Reading requires no privilege. Changing subflows requires CAP_NET_ADMIN over the network
# namespace, and for most methods a connection that the application controls: see {take_control}.
#
# Every error is an {Error}, with a class per kind; its +remedy+ is a sentence on what to do.
module Subflows
  private_constant :Native
end
