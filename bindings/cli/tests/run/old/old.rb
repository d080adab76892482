# As the Ruby programs of 2016 had it: Ruby's own getsockopt, which passes nothing to the kernel, for the list; and
# getsockopt(2) for the others, with lengths of its own. old.rb HOST PORT LOCAL
require "fiddle"
require "socket"

GETSOCKOPT = Fiddle::Function.new(
  Fiddle::Handle::DEFAULT["getsockopt"],
  [Fiddle::TYPE_INT, Fiddle::TYPE_INT, Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP, Fiddle::TYPE_VOIDP],
  Fiddle::TYPE_INT
)

def option(sock, number, value, length = value.bytesize)
  size = [length].pack("I")
  result = GETSOCKOPT.call(sock.fileno, Socket::IPPROTO_TCP, number, value, size)
  [result.zero? ? 0 : Fiddle.last_error, size.unpack1("I")]
end

def ids(sock) = sock.getsockopt(:TCP, 66).data.bytes.drop(2).each_slice(2).map(&:first)

def require!(condition) = condition || raise("#{caller_locations(1, 1)[0]} does not hold")

host, port, local = ARGV
sock = TCPSocket.new(host, port)
sock.write("?")
require! sock.read(1) == "?"
require! ids(sock) == [1]

family, ends = [Socket.sockaddr_in(0, local), Socket.sockaddr_in(port, host)].then { |both| [both[0].bytesize, both.join] }
tuple = "\0" + ends
# One that had room for addresses of 24 bytes: refused, as it was then.
require! option(sock, 69, tuple + "\0" * 16)[0] == Errno::EINVAL::Errno
require! option(sock, 69, tuple)[0].zero?
require! ids(sock) == [2, 1]
error, length = option(sock, 68, "\x02".ljust(64, "\0"))
require! error.zero? && length == 1 + 2 * family
# The drafts' structure: an id and how.
require! option(sock, 67, [1, 2].pack("Cx3i"))[0].zero?
require! ids(sock) == [2]
sock.write("?")
require! sock.read(1) == "?"
# With a list of four bytes for each subflow, the first is right.
list = "\0" * 10
require! option(sock, 66, list)[0].zero? && list.bytes.values_at(0, 2) == [1, 2]
