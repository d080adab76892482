# frozen_string_literal: true

require "zlib"

# Sends and receives data, also in the background while the driver answers other requests.
class Transfer
  # The block that is sent repeatedly. Its size is prime, so that misplaced data changes the
  # checksum.
  BLOCK = Array.new(65_521) { |place| ((place * 7) + (place >> 8)) & 255 }.pack("C*").freeze
  # The longest wait for progress, in seconds.
  PATIENCE = 15

  # Sends until {#finish} is called.
  def self.start_sending(socket)
    new { |transfer| send(socket) { transfer.ending? ? 0 : BLOCK.size } }
  end

  # Receives until the stream ends.
  def self.start_receiving(socket)
    new { receive(socket, Float::INFINITY) }
  end

  # Sends until the block, which is called with the number of bytes sent, returns 0.
  def self.send(socket)
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

  # Receives `wanted` bytes, or fewer if the stream ends.
  def self.receive(socket, wanted)
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

  def self.ready(waited)
    waited or raise Errno::ETIMEDOUT
  end

  def initialize
    @ending = false
    @thread = Thread.new { yield self }
    @thread.report_on_exception = false
  end

  def ending? = @ending

  # Stops sending, and waits for the thread.
  def finish
    @ending = true
    @thread.value
  end
end
