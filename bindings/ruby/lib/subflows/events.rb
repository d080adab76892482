# frozen_string_literal: true

module Subflows
  # A stream of events, without end. See {Subflows.events}.
  #
  #   Subflows.events(socket) do |events|
  #     opened = events.each(timeout: 5).find { |event| event.kind == :subflow_established }
  #   end
  class Events
    include Enumerable
    include Closeable

    # Follows every connection and listener of the calling thread's network namespace.
    #
    # @yieldparam events [Events] closed after the block
    # @return [Events]
    def self.of_namespace(&block)
      Subflows.__send__(:lend, Native.events_of_namespace, &block)
    end

    # @!method fileno
    #   @return [Integer] the descriptor to poll for readability
    # @!method try_next
    #   @return [Event, nil] an event that has arrived
    # @!method set_buffer(bytes)
    #   Sets how many bytes of unread events the kernel keeps. The default holds about 256 events.
    #   @return [nil]

    # Waits for the next event.
    #
    # @param timeout [Numeric, nil] in seconds; nil: forever
    # @return [Event, nil] nil if the time passes without one
    def next(timeout = nil)
      deadline = now + timeout if timeout
      until (event = try_next)
        left = deadline - now if deadline
        return if left&.negative?

        to_io.wait_readable(left)
      end
      event
    end

    # Passes every event to the block, until +timeout+ seconds pass without one.
    #
    # @param timeout [Numeric, nil] in seconds; nil: forever
    # @yieldparam event [Event]
    # @return [self, Enumerator] an Enumerator without a block
    def each(timeout: nil)
      return enum_for(:each, timeout: timeout) unless block_given?

      while (event = self.next(timeout))
        yield event
      end
      self
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
