# frozen_string_literal: true

require_relative "helper"

# A minimal scheduler: it waits for descriptors, and resumes the fibers that are due.
class Scheduler
  attr_reader :waited

  def initialize
    @waiting = {}
    @waited = 0
  end

  def fiber(&block)
    Fiber.new(blocking: false, &block).tap(&:resume)
  end

  def io_wait(io, events, timeout)
    @waited += 1
    @waiting[Fiber.current] = [io, events, timeout && (now + timeout)]
    Fiber.yield
  end

  def kernel_sleep(duration = nil)
    @waiting[Fiber.current] = [nil, 0, duration && (now + duration)]
    Fiber.yield
  end

  def block(_blocker, timeout = nil)
    kernel_sleep(timeout)
  end

  def unblock(_blocker, fiber); end

  def close
    until @waiting.empty?
      at = @waiting.values.filter_map(&:last).min
      readable = wanted(IO::READABLE)
      writable = wanted(IO::WRITABLE)
      ready = IO.select(readable, writable, nil, at && [at - now, 0].max) || [[], []]
      wake(ready)
    end
  end

  private

  def wanted(event)
    @waiting.values.filter_map { |io, events, _| io if (events & event).positive? }
  end

  def wake(ready)
    due = @waiting.select do |_, (io, _, at)|
      ready.any? { |list| list.include?(io) } || (at && now >= at)
    end
    due.each_key do |fiber|
      io, events, = @waiting.delete(fiber)
      fiber.resume(ready.any? { |list| list.include?(io) } ? events : false)
    end
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end

# Without these, one waiting fiber would block all the others.
class SchedulerTest < SubflowsTest
  # Runs the fibers under a scheduler, and returns how often it was asked to wait.
  def scheduled(*fibers)
    scheduler = Scheduler.new
    Thread.new do
      Fiber.set_scheduler(scheduler)
      fibers.each { |fiber| Fiber.schedule(&fiber) }
    end.join
    scheduler.waited
  end

  def test_other_fibers_run_while_one_opens
    connection = pair
    nobody = silence
    order = []
    open = lambda do
      Subflows.open(connection.client, remote: nobody, timeout: 0.3)
    rescue Subflows::TimedOutError
      order << :timed_out
    end
    waited = scheduled(open, -> { order << :other })
    assert_equal %i[other timed_out], order
    assert_operator waited, :>, 0
  end

  def test_connections_are_made_and_steered_by_fibers
    server = later(Subflows.listen("127.0.0.1", 0))
    opened = []
    client = lambda do
      Subflows.connect("127.0.0.1", server.local_address.ip_port, control: true) do |socket|
        socket.write("x")
        socket.readpartial(1)
        Subflows.events(socket) do |events|
          opened << Subflows.open(socket, local: "127.0.0.2").id
          opened << events.next(5).kind
        end
      end
    end
    answer = lambda do
      2.times do
        accepted = server.accept
        accepted.write(accepted.readpartial(1))
        later(accepted)
      end
    end
    assert_operator scheduled(answer, client, client), :>, 0
    assert_equal [2, :subflow_established], opened.uniq
    assert_equal 4, opened.size
  end
end
