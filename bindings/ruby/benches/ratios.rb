# frozen_string_literal: true

# The cost of the gem compared with what a program does without it, measured in turn in one run.
#
#   ratios.rb TABLE PYTHON writes the table; PYTHON is an interpreter that has the package.

require "subflows"

TABLE, PYTHON = ARGV
CALLS = 2000
ROUNDS = 60
# SOL_MPTCP and MPTCP_INFO, which Ruby's Socket has no names for.
LEVEL = 284
INFO = 1

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
end

# Both ends of a connection of two subflows.
def pair
  listener = Subflows.listen("127.0.0.1", 0)
  client = Subflows.connect("127.0.0.1", listener.local_address.ip_port, control: true)
  server = listener.accept
  [[client, server], [server, client]].each do |from, to|
    from.write("x")
    to.read(1)
  end
  Subflows.open(client, local: "127.0.0.2")
  [client, server, listener]
end

def each_call
  lambda do
    start = now
    CALLS.times { yield }
    (now - start).fdiv(CALLS)
  end
end

# @return [Array<Float>] nanoseconds per call of each, called in turn, so that a disturbance affects
#   all of them; the first round warms up
def medians(*contenders)
  taken = contenders.map { [] }
  (ROUNDS + 1).times do |round|
    contenders.each_with_index do |measure, index|
      GC.start
      nanoseconds = measure.call
      taken[index] << nanoseconds if round.positive?
    end
  end
  taken.map { |times| times.sort[times.size / 2] }
end

def shown(nanoseconds)
  nanoseconds < 1000 ? format("%d ns", nanoseconds) : format("%.2f µs", nanoseconds / 1000)
end

client, *others = pair
sister = IO.popen([PYTHON, File.join(__dir__, "list.py")], "r+")
python = lambda do
  sister.puts
  Float(sister.gets)
end

info, getsockopt = medians(each_call { Subflows.info(client) },
                           each_call { client.getsockopt(LEVEL, INFO) })
listed, read, in_python = medians(
  each_call { Subflows.list(client) },
  each_call do
    Subflows.list(client).each { |path| [path.id, path.state, path.rtt_us, path.bytes_sent] }
  end,
  python
)
[client, *others].each(&:close)

rows = [
  ["info / `getsockopt(284, 1)`", info, getsockopt, 1.7],
  ["list of two / Python's", listed, in_python, 2],
  ["the same, four fields of each read", read, in_python, nil]
]
version = RUBY_VERSION[/\A\d+\.\d+/]
lines = ["| in Ruby #{version} | ours | compared with | ratio | bar | |", "|---|---|---|---|---|---|"]
rows.each do |name, ours, other, bar|
  ratio = ours / other
  verdict = (ratio <= bar ? "holds" : "**missed**") if bar
  lines << format("| %s | %s | %s | %.2f | %s | %s |", name, shown(ours), shown(other), ratio,
                  bar && "≤ #{bar}", verdict)
end
text = "\n#{lines.join("\n")}\n"
puts text
File.write(TABLE, text)
