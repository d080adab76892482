# frozen_string_literal: true

require_relative "helper"

# Without these, a long-running program could grow.
class LeaksTest < SubflowsTest
  # @return [Integer] in bytes
  def resident
    File.read("/proc/self/status")[/^VmRSS:\s+(\d+)/, 1].to_i * 1024
  end

  # Runs this test in a process of its own, where other tests have not filled Ruby's heap, whose size then
  # swings by more than what the test looks for.
  #
  # @return [Boolean] whether this process is that one
  def alone?
    return true if ENV["SUBFLOWS_TEST_ALONE"]

    own = [{ "SUBFLOWS_TEST_ALONE" => "1" }, RbConfig.ruby, "-W:no-experimental", __FILE__, "-n", name]
    said = IO.popen(own, err: %i[child out], &:read)
    assert_match(/^1 runs, .* 0 failures, 0 errors, 0 skips/, said)
    false
  end

  def test_reading_for_long_takes_no_more_memory
    return unless alone?

    socket = pair.client
    read = proc do
      Subflows.list(socket).each(&:to_h)
      Subflows.info(socket).inspect
      Subflows.status(socket).hash
      Subflows.addresses(socket)
      Subflows.connections(subflows: true)
      assert_raises(Subflows::NoSuchSubflowError) { Subflows.details(socket, 99) }
    end
    500.times(&read)
    GC.start
    before = [descriptors, resident]
    3000.times(&read)
    GC.start
    assert_operator descriptors, :<=, before.first
    assert_operator resident - before.last, :<, 4 << 20
  end

  def test_what_is_forgotten_is_closed
    socket = pair.client
    nobody = silence
    before = descriptors
    forget = lambda do
      30.times do
        Subflows.events(socket)
        Subflows::Opening.new(socket, remote: nobody).to_io
        Subflows.announce(socket, "127.0.0.5", port: 0)
      end
    end
    forget.call
    assert_operator descriptors, :>, before
    GC.start
    # The collector may still find some of them on the stack.
    assert_operator descriptors, :<, before + 12
    eventually("the half-open ones are gone") do
      GC.start
      Subflows.list(socket).size <= 3
    end
  end
end
