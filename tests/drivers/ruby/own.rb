# frozen_string_literal: true

require "zlib"

# Sockets by Ruby's own means, by the names that the runner gave them.
class Own
  VERBS = %w[
    tcp bind dial hear accept send receive pour poured drain drained shutdown drop adopt set_option
    get_option
  ].freeze
  # What is sent, again and again: a prime number of bytes, so that nothing that went astray fits.
  BLOCK = Array.new(65_521) { |place| ((place * 7) + (place >> 8)) & 255 }.pack("C*").freeze
  # Nothing waits longer than this for progress.
  PATIENCE = 15

  def initialize
    @sockets = {}
    @poured = {}
    @drained = {}
    @ending = {}
  end

  def [](name)
    @sockets.fetch(name)
  end

  # Keeps a socket; tells its ends, where it has some.
  def keep(name, socket)
    @sockets[name] = socket
    ends(socket)
  end

  def tcp(family:, name:) = keep(name, Socket.new(family == "v4" ? :INET : :INET6, :STREAM))

  def adopt(fd:, name:)
    given = Socket.for_fd(Integer(fd))
    given.autoclose = false
    keep(name, given.dup)
  end

  def bind(sock:, to:)
    self[sock].bind(Lines.address(to))
    { local: self[sock].local_address }
  end

  def dial(sock:, to:, wait: "true")
    return ends(self[sock]) if self[sock].connect_nonblock(Lines.address(to), exception: false) == 0

    raise Errno::EINPROGRESS if wait == "true" && !self[sock].wait_writable(PATIENCE)
    return if wait != "true"

    error = self[sock].getsockopt(:SOCKET, :ERROR).int
    raise SystemCallError.new(nil, error) unless error.zero?

    ends(self[sock])
  end

  def hear(sock:)
    self[sock].listen(128)
    nil
  end

  def accept(sock:, name:)
    ready(self[sock].wait_readable(PATIENCE))
    accepted, = self[sock].accept
    keep(name, accepted)
  end

  def send(sock:, bytes:) = carry_out(self[sock]) { |sent| Integer(bytes) - sent }
  def receive(sock:, bytes:) = carry_in(self[sock], Integer(bytes))

  def pour(sock:)
    socket = self[sock]
    @ending[sock] = false
    begin_flow(@poured, sock) { carry_out(socket) { @ending[sock] ? 0 : BLOCK.size } }
  end

  def drain(sock:)
    socket = self[sock]
    begin_flow(@drained, sock) { carry_in(socket, Float::INFINITY) }
  end

  def poured(sock:)
    @ending[sock] = true
    @poured.delete(sock).value.tap { self[sock].shutdown(:WR) }
  end

  def drained(sock:) = @drained.delete(sock).value

  def shutdown(sock:, how:)
    self[sock].shutdown(how == "write" ? :WR : :RD)
    nil
  end

  def drop(name:) = @sockets.delete(name).close

  def set_option(sock:, level:, option:, value:)
    self[sock].setsockopt(Integer(level), Integer(option), Integer(value))
    { value: Integer(value) }
  end

  def get_option(sock:, level:, option:)
    { value: self[sock].getsockopt(Integer(level), Integer(option)).int }
  end

  private

  def ends(socket)
    told = {}
    %i[local remote].each do |side|
      told[side] = socket.public_send("#{side}_address")
    rescue Errno::ENOTCONN, Errno::EINVAL
      next
    end
    told
  end

  def ready(waited)
    waited or raise Errno::ETIMEDOUT
  end

  def begin_flow(flows, name, &work)
    flows[name] = Thread.new(&work).tap { |thread| thread.report_on_exception = false }
    nil
  end

  # Sends block after block, until none is left after so many bytes.
  def carry_out(socket)
    bytes = crc32 = 0
    while (left = yield(bytes)).positive?
      rest = BLOCK.byteslice(bytes % BLOCK.size, [left, BLOCK.size].min)
      sent = socket.write_nonblock(rest, exception: false)
      next ready(socket.wait_writable(PATIENCE)) if sent == :wait_writable

      crc32 = Zlib.crc32(rest.byteslice(0, sent), crc32)
      bytes += sent
    end
    { bytes: bytes, crc32: crc32 }
  end

  # Receives so much, or everything.
  def carry_in(socket, wanted)
    bytes = crc32 = 0
    chunk = String.new(capacity: BLOCK.size)
    while bytes < wanted
      got = socket.read_nonblock([wanted - bytes, BLOCK.size].min, chunk, exception: false)
      next ready(socket.wait_readable(PATIENCE)) if got == :wait_readable
      break unless got

      crc32 = Zlib.crc32(got, crc32)
      bytes += got.bytesize
    end
    { bytes: bytes, crc32: crc32 }
  end
end
