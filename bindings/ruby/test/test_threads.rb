# frozen_string_literal: true

require_relative "helper"

# Without these, threads could disturb each other, or a signal could break a pending call.
class ThreadsTest < SubflowsTest
  def test_eight_threads_steer_one_connection
    connection = unlimited_pair
    threads = Array.new(8) do |number|
      Thread.new do
        Array.new(20) do
          extra = Subflows.open(connection.client, local: "127.0.0.#{number + 10}")
          assert_includes Subflows.list(connection.client).map(&:id), extra.id
          assert_predicate Subflows.details(connection.client, extra.id), :joined?
          Subflows.close(connection.client, extra.id)
          extra.id
        end
      end
    end
    ids = threads.flat_map(&:value)
    assert_equal ids.uniq.size, ids.size
    eventually("only the first is left") { Subflows.list(connection.client).map(&:id) == [1] }
    assert connection.moves_data?
  end

  def test_connections_are_controlled_by_many_threads_at_once
    server = later(Subflows.listen("127.0.0.1", 0))
    port = server.local_address.ip_port
    clients = Array.new(8) do
      Thread.new { later(Subflows.connect("127.0.0.1", port, control: true)) }
    end
    managers = clients.map { |thread| Subflows.status(thread.value).path_manager }
    assert_equal [:userspace], managers.uniq
    assert_equal "0", File.read(PATH_MANAGER).strip
  end

  def test_signals_break_nothing
    connection = unlimited_pair
    received = 0
    before = trap(:USR1) { received += 1 }
    over = false
    # One after the other: too many at once would keep the main thread from running at all.
    sending = Thread.new do
      until over
        seen = received
        Process.kill(:USR1, Process.pid)
        Thread.pass until over || received > seen
      end
    end
    eventually("signals come") { received.positive? }
    from = received
    opened = 0
    Subflows.events(connection.client) do |events|
      until opened >= 100 && received - from >= 20
        extra = Subflows.open(connection.client, local: "127.0.0.2")
        Subflows.close(connection.client, extra.id)
        kinds = [events.next(5), events.next(5)].map(&:kind)
        assert_equal %i[subflow_established subflow_closed], kinds
        opened += 1
      end
    end
  ensure
    over = true
    sending&.join
    trap(:USR1, before || "DEFAULT")
  end

  def test_a_handle_that_two_threads_use_stays_whole
    events = later(Subflows.events(pair.client))
    outcomes = Array.new(4) do
      Thread.new do
        events.next(0.2)
      rescue IOError => error
        error.class
      end
    end.map(&:value)
    assert_empty outcomes.compact - [IOError]
    assert_nil events.next(0)
  end
end
