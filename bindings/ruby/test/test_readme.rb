# frozen_string_literal: true

require "tmpdir"
require_relative "helper"

# Without this, the programs of the README could fail.
class ReadmeTest < SubflowsTest
  README = File.read(File.join(Gem.loaded_specs.fetch("subflows").full_gem_path, "README.md"))

  # In an empty folder, with a small answer and a large one.
  def test_what_is_shown_runs
    [1, 10_000_000].each do |size|
      Dir.mktmpdir { |folder| Dir.chdir(folder) { shown_runs("x" * size) } }
    end
  end

  private

  # The README's programs, one after the other, with an existing server and interface.
  def shown_runs(answer)
    server = later(Subflows.listen("127.0.0.1", 0))
    # Of a large answer, the first programs read the beginning.
    answering = Thread.new { later(server.accept).then { |client| client.write_nonblock(answer) } }
    programs = README.scan(/^```ruby\n(.*?)^```/m).flatten
    assert_equal 3, programs.size
    http = programs.pop
    shown = programs.join
    shown.sub!('"server.example", 443', "\"127.0.0.1\", #{server.local_address.ip_port}")
    shown.sub!('"wwan0"', '"lo"')
    shown.sub!("timeout: 5", "timeout: 0.1")
    out, = capture_io { eval(shown, binding, "README.md") } # rubocop:disable Security/Eval
    assert_match(/^127\.0\.0\.1:\d+: \d+ us$/, out)
    answering.join
    assert_equal "2\n", with_http(http, server, answer)
  end

  # The program for Net::HTTP.
  def with_http(shown, server, answer)
    answering = Thread.new do
      later(server.accept).tap do |client|
        client.gets("\r\n\r\n")
        client.write("HTTP/1.1 200 OK\r\nContent-Length: #{answer.bytesize}\r\n\r\n#{answer}")
      end
    end
    shown = shown.sub('"server.example", 443', "\"127.0.0.1\", #{server.local_address.ip_port}")
    out, = capture_io { eval(shown.sub('"wwan0"', '"lo"'), binding, "README.md") } # rubocop:disable Security/Eval
    answering.join
    out
  end
end
