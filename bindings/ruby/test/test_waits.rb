# frozen_string_literal: true

require_relative "helper"

# Without these, a waiting program could not be interrupted, or would block its other threads.
class WaitsTest < SubflowsTest
  AT_ONCE = 0.1

  # Starts the wait in a new thread, ends it, and returns how long it ran after that.
  def ended(wait)
    outcome = nil
    thread = Thread.new do
      wait.call
    rescue Exception => error # rubocop:disable Lint/RescueException
      outcome = error
    end
    thread.report_on_exception = false
    eventually("the thread waits") do
      flunk("it has ended: #{outcome.inspect}") unless thread.alive?
      thread.status == "sleep"
    end
    from = now
    yield thread
    thread.join(10) or flunk("it goes on")
    assert_operator now - from, :<, AT_ONCE
    outcome
  end

  # Every call that waits.
  def waits
    connection = pair
    nobody = silence
    events = later(Subflows.events(connection.client))
    {
      open: -> { Subflows.open(connection.client, remote: nobody, timeout: 60) },
      connect: -> { Subflows.connect("127.0.0.9", nobody.ip_port, timeout: 60) },
      probe: -> { Subflows.probe(nobody, timeout: 60) },
      doctor: -> { Subflows.doctor(remote: nobody, timeout: 60) },
      events: -> { events.each { |event| refute_nil event } }
    }.each { |name, wait| yield name.to_s, wait }
  end

  def test_an_exception_ends_a_wait_at_once
    waits do |name, wait|
      error = ended(wait) { |thread| thread.raise(IndexError, "enough") }
      assert_instance_of IndexError, error, name
    end
  end

  def test_a_thread_that_waits_can_be_killed
    waits do |name, wait|
      assert_nil ended(wait, &:kill), name
    end
  end

  def test_a_timeout_ends_a_wait_at_once
    waits do |name, wait|
      from = now
      assert_raises(Timeout::Error, name) { Timeout.timeout(0.2) { wait.call } }
      assert_operator now - from, :<, 0.2 + AT_ONCE
    end
  end

  def test_an_interrupt_ends_a_wait_at_once
    # A program that is started in the background may ignore this signal.
    before = Signal.trap(:INT, "DEFAULT")
    waits do |name, wait|
      waiting = Thread.current
      from = nil
      Thread.new do
        eventually("the main thread waits") { waiting.status == "sleep" }
        from = now
        Process.kill(:INT, Process.pid)
      end
      begin
        wait.call
        flunk("#{name} went on")
      rescue Interrupt
        assert_operator now - from, :<, AT_ONCE, name
      end
    end
  ensure
    Signal.trap(:INT, before) if before
  end

  def test_what_was_begun_is_taken_back
    connection = pair
    nobody = silence
    open = lambda do
      Timeout.timeout(0.1) { Subflows.open(connection.client, remote: nobody, timeout: 60) }
    end
    # Core keeps netlink sockets from the first call on.
    assert_raises(Timeout::Error, &open)
    before = descriptors
    assert_raises(Timeout::Error, &open)
    assert_equal 1, Subflows.list(connection.client).size
    # The collector may close what earlier tests forgot.
    assert_operator descriptors, :<=, before
    assert connection.moves_data?
  end

  def test_other_threads_run_during_the_wait_and_the_library_starts_none
    connection = pair
    nobody = silence
    seen = []
    over = false
    watching = Thread.new do
      until over
        seen << Dir.children("/proc/self/task")
        Thread.pass
      end
    end
    eventually("it runs") { seen.any? }
    before = seen.last
    seen.clear
    assert_raises(Subflows::TimedOutError) do
      Subflows.open(connection.client, remote: nobody, timeout: 1)
    end
    over = true
    watching.join
    assert_operator seen.size, :>, 50
    # Threads of earlier tests may still end.
    assert_empty seen.flatten.uniq - before
  end

  def test_a_wait_that_is_stepped_in_a_loop_of_ones_own
    connection = pair
    opening = Subflows::Opening.new(connection.client, local: "127.0.0.2")
    until (subflow = opening.advance)
      assert_includes 0..5, opening.time_left
      IO.select([opening], nil, nil, opening.time_left)
    end
    assert_equal "127.0.0.2", subflow.local.ip_address
    assert_raises(Subflows::InvalidStateError) { opening.advance }
    opening.cancel
    assert_nil opening.cancel
    assert_raises(IOError) { opening.advance }
    assert_equal 2, Subflows.list(connection.client).size
  end

  def test_a_probe_that_is_stepped_in_a_loop_of_ones_own
    Subflows.listen("::1", 0) do |server|
      probing = Subflows::Probing.new(server.local_address, data: "?")
      until (report = probing.advance)
        assert_includes 0..5, probing.time_left
        IO.select([probing], nil, nil, probing.time_left)
      end
      assert_equal :mptcp, report.verdict
      assert_nil probing.cancel
      assert_raises(IOError) { probing.advance }
    end
  end

  def test_an_examination_in_a_loop_of_ones_own
    Subflows.listen("::1", 0) do |server|
      examining = Subflows::Examining.new(remote: server.local_address)
      until (found = examining.advance)
        assert_includes 0..5, examining.time_left
        IO.select([examining], nil, nil, examining.time_left)
      end
      assert(found.all?(Subflows::Finding))
      assert_nil examining.cancel
      assert_raises(IOError) { examining.advance }
    end
  end

  def test_a_connection_that_is_made_in_a_loop_of_ones_own
    Subflows.listen("::1", 0) do |server|
      connecting = Subflows::Connecting.new(server.local_address, timeout: 5)
      IO.select(nil, [connecting], nil, connecting.time_left) until (socket = connecting.advance)
      assert_instance_of TCPSocket, later(socket)
      assert_raises(IOError) { connecting.advance }
    end
  end

  def test_a_stream_that_another_thread_closes_ends
    events = Subflows.events(pair.client)
    error = ended(-> { events.next }) { events.close }
    assert_instance_of IOError, error
    assert_raises(IOError) { events.try_next }
  end

  # The wait is on a duplicate, which must not keep the connection open.
  def test_a_socket_that_another_thread_closes_ends_an_open
    connection = pair
    nobody = silence
    error = ended(-> { Subflows.open(connection.client, remote: nobody, timeout: 60) }) do
      connection.client.close
    end
    assert_instance_of Subflows::ClosedError, error
    assert connection.server.wait_readable(10)
    assert_nil connection.server.read_nonblock(1, exception: false)
  end

  # Converting a result runs Ruby, which may switch to another thread.
  def test_a_handle_is_asked_by_many_threads
    connection = pair
    announced = later(Subflows.announce(connection.client, "127.0.0.5", port: 0))
    events = later(Subflows.events(connection.client))
    opening = later(Subflows::Opening.new(connection.client, remote: silence, timeout: 60))
    threads = Array.new(4) do
      Thread.new do
        200.times do
          assert_equal "127.0.0.5", announced.address.ip_address
          assert_operator announced.fileno + events.fileno + opening.fileno, :>, 0
          assert_equal 0, announced.turn_away
          assert_nil events.try_next
          assert_nil opening.advance
          Thread.pass
        end
      end
    end
    threads.each(&:join)
    threads = Array.new(2) { Thread.new { assert_raises(IOError) { loop { announced.address } } } }
    announced.close
    threads.each(&:join)
  end

  def test_the_child_of_a_process_that_waits_uses_the_connection_too
    connection = pair
    reader, writer = IO.pipe
    child = fork do
      subflow = Subflows.open(connection.client, local: "127.0.0.3")
      writer.write(subflow.local.ip_address)
      exit!(0)
    end
    writer.close
    assert_equal "127.0.0.3", reader.read
    Process.wait(child)
    assert_equal 2, Subflows.list(connection.client).size
  end

  # A child does not own the handles of its parent, so its end must not close them.
  def test_the_child_of_a_process_takes_nothing_back_when_it_ends
    connection = pair
    nobody = silence
    later(Subflows.announce(connection.client, "127.0.0.5", port: 0))
    opening = later(Subflows::Opening.new(connection.client, remote: nobody))
    Process.wait(fork { exit })
    assert_equal 2, Subflows.list(connection.client).size
    announced = Subflows.addresses(connection.client).select(&:announced?)
    assert_equal ["127.0.0.5"], announced.map { |address| address.ip.ip_address }
    assert_nil opening.advance
  end
end
