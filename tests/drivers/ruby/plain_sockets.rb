# frozen_string_literal: true

require "socket"
require_relative "transfer"

# Ruby's own sockets, without the library, by the names that the runner gives them.
class PlainSockets
  PREFIX = "plain."
  VERBS = %w[
    socket take_fd bind connect listen accept send receive start_sending stop_sending
    start_receiving finish_receiving shutdown close setsockopt getsockopt
  ].map { |verb| "#{PREFIX}#{verb}" }.freeze
  FAMILIES = { "v4" => :INET, "v6" => :INET6 }.freeze

  def initialize
    @sockets = {}
    @sending = {}
    @receiving = {}
  end

  def [](name)
    @sockets.fetch(name)
  end

  # Keeps a socket under a name, and returns its ends.
  def keep(name, socket)
    @sockets[name] = socket
    ends(socket)
  end

  def perform(verb, words)
    public_send(verb.delete_prefix(PREFIX), **words)
  end

  def socket(family:, name:) = keep(name, Socket.new(FAMILIES.fetch(family), :STREAM))

  # Takes a descriptor that this process inherited.
  def take_fd(fd:, name:)
    inherited = Socket.for_fd(Integer(fd))
    inherited.autoclose = false
    keep(name, inherited.dup)
  end

  def bind(sock:, to:)
    self[sock].bind(Request.address(to))
    { local: self[sock].local_address }
  end

  def connect(sock:, to:, wait: "true")
    result = self[sock].connect_nonblock(Request.address(to), exception: false)
    return ends(self[sock]) if result == 0

    raise Errno::EINPROGRESS if wait == "true" && !self[sock].wait_writable(Transfer::PATIENCE)
    return if wait != "true"

    error = self[sock].getsockopt(:SOCKET, :ERROR).int
    raise SystemCallError.new(nil, error) unless error.zero?

    ends(self[sock])
  end

  def listen(sock:)
    self[sock].listen(128)
    nil
  end

  def accept(sock:, name:)
    Transfer.ready(self[sock].wait_readable(Transfer::PATIENCE))
    accepted, = self[sock].accept
    keep(name, accepted)
  end

  def send(sock:, bytes:) = Transfer.send(self[sock]) { |sent| Integer(bytes) - sent }
  def receive(sock:, bytes:) = Transfer.receive(self[sock], Integer(bytes))

  def start_sending(sock:)
    @sending[sock] = Transfer.start_sending(self[sock])
    nil
  end

  def stop_sending(sock:)
    @sending.delete(sock).finish.tap { self[sock].shutdown(:WR) }
  end

  def start_receiving(sock:)
    @receiving[sock] = Transfer.start_receiving(self[sock])
    nil
  end

  def finish_receiving(sock:) = @receiving.delete(sock).finish

  def shutdown(sock:, how:)
    self[sock].shutdown(how == "write" ? :WR : :RD)
    nil
  end

  def close(name:) = @sockets.delete(name).close

  def close_all
    @sockets.each_value(&:close)
    [@sockets, @sending, @receiving].each(&:clear)
  end

  def setsockopt(sock:, level:, option:, value:)
    self[sock].setsockopt(Integer(level), Integer(option), Integer(value))
    { value: Integer(value) }
  end

  def getsockopt(sock:, level:, option:)
    { value: self[sock].getsockopt(Integer(level), Integer(option)).int }
  end

  private

  # The addresses of both ends, as far as the socket has them.
  def ends(socket)
    found = {}
    %i[local remote].each do |side|
      found[side] = socket.public_send("#{side}_address")
    rescue Errno::ENOTCONN, Errno::EINVAL
      next
    end
    found
  end
end
