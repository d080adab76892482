# frozen_string_literal: true

require_relative "../helper"
require "digest/sha2"
require "open3"
require "rbconfig"
require "subflows/http"

# A server in a namespace of its own, which this process reaches by two paths: wifi and lte.
class TwoPaths
  PATHS = { "wifi" => 1, "lte" => 2 }.freeze
  SYSCTL = "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0"
  RULES = <<~RULES
    add table inet cut
    add chain inet cut arriving { type filter hook prerouting priority -300; }
    add rule inet cut arriving iifname %s drop
  RULES

  # @return [Array<String>] the command that runs another command at the server's end
  attr_reader :inside

  def initialize
    # `cat` keeps the namespace until its standard input is closed.
    @keeper = IO.popen(%w[unshare --net cat], "r+")
    here = File.readlink("/proc/self/ns/net")
    Thread.pass while File.readlink("/proc/#{@keeper.pid}/ns/net") == here
    @inside = ["nsenter", "--net=/proc/#{@keeper.pid}/ns/net"]
    run SYSCTL
    there "#{SYSCTL} && ip link set lo up && ip mptcp limits set subflows 8"
    PATHS.each { |name, number| wire(name, number) }
  end

  # Both directions of a path lose every packet from now on.
  def cut(name)
    { [] => name, inside => "s#{name}" }.each do |command, interface|
      out, status = Open3.capture2e(*command, "nft", "--file", "-", stdin_data: format(RULES, interface))
      status.success? or raise out
    end
  end

  def close
    PATHS.each_key { |name| run "ip link delete #{name}" }
    system("nft", "delete", "table", "inet", "cut", err: File::NULL)
    @keeper.close
  end

  private

  def run(command)
    system(command, exception: true)
  end

  def there(command)
    system(*inside, "sh", "-c", command, exception: true)
  end

  def wire(name, number)
    run "ip link add #{name} type veth peer name s#{name} netns #{@keeper.pid}"
    run "ip address add 10.0.#{number}.2/24 dev #{name} && ip link set #{name} up"
    there "ip address add 10.0.#{number}.1/24 dev s#{name} && ip link set s#{name} up"
    run "ip route add default via 10.0.#{number}.1 dev #{name} metric #{number}00"
  end
end

# Without these, a server that is started as usual could lose requests by Multipath TCP.
class ServersTest < SubflowsTest
  HERE = __dir__
  ACTIVATE = File.expand_path("../../../../examples/ruby/activate.rb", __dir__)
  REQUESTS = 1000
  CLIENTS = 4
  PUMA = %w[puma --bind-to-activated-sockets only --threads 8:8 --log-requests config.ru].freeze
  SERVERS = {
    puma: PUMA,
    # A listener that several processes share.
    puma_with_workers: [*PUMA.first(1), "--workers", "2", *PUMA.drop(1)],
    async: [RbConfig.ruby, "-W0", "async_server.rb"]
  }.freeze

  # Starts a server that finds its listener by socket activation, and yields its port.
  def serve(net, name)
    command = [*net.inside, RbConfig.ruby, *$LOAD_PATH.map { |path| "-I#{File.expand_path(path)}" },
               ACTIVATE, "10.0.1.1", "0", *SERVERS.fetch(name)]
    reader, writer = IO.pipe
    pid = spawn(*command, chdir: HERE, out: File::NULL, err: writer, pgroup: true)
    writer.close
    port = Integer(reader.gets[/\Alistening on 10\.0\.1\.1:(\d+)$/, 1])
    # Its further messages must not fill the pipe.
    rest = Thread.new { reader.read }
    yield port
  ensure
    # With its workers.
    Process.kill(:KILL, -pid)
    Process.wait(pid)
    refute_includes rest.value, "Error", name if rest
  end

  # A small body in most requests, and a large one in some.
  def bodies(client)
    Array.new(REQUESTS / CLIENTS) { |number| "#{client} #{number} " * ((number % 25).zero? ? 20_000 : 1) }
  end

  def play(http, client, answered)
    http.keep_alive_timeout = http.read_timeout = 60
    # A request that fails is not sent again.
    http.max_retries = 0
    http.start do
      bodies(client).each_with_index do |body, number|
        answer = http.post("/", body)
        assert_equal "200", answer.code
        assert_equal Digest::SHA256.digest(body), Digest::SHA256.digest(answer.body)
        answered << number
        yield number
      end
    end
  end

  def play_all(make, first, &at_half)
    answered = Queue.new
    begun = Queue.new
    threads = Array.new(CLIENTS) do |client|
      Thread.new do
        http = make.call
        play(http, client, answered) { |number| begun << first.call(http) if number.zero? }
      end.tap { |thread| thread.report_on_exception = false }
    end
    # Each has its second path by then.
    is_half = -> { begun.size == CLIENTS && answered.size >= REQUESTS / 2 }
    Thread.pass until is_half.call || threads.none?(&:alive?)
    at_half&.call
    threads.each(&:join)
    assert_equal REQUESTS, answered.size
  end

  SERVERS.each_key do |name|
    define_method("test_a_thousand_requests_each_way_by_#{name}") do
      net = later(TwoPaths.new)
      serve(net, name) do |port|
        tcp = -> { Net::HTTP.new("10.0.1.1", port) }
        play_all(tcp, ->(http) { assert_equal :tcp, Subflows.status(http.instance_variable_get(:@socket)).state })

        multipath = -> { Subflows::HTTP.new("10.0.1.1", port).tap { |http| http.control = true } }
        second = lambda do |http|
          assert_equal :mptcp, Subflows.status(http).state
          Subflows.open(http, interface: "lte")
        end
        play_all(multipath, second) { net.cut("wifi") }
      end
    end
  end
end
