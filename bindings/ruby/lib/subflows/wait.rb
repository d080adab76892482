# frozen_string_literal: true

module Subflows
  # An object that owns a descriptor, until it is closed or collected.
  module Closeable
    # An IO for IO.select and event loops. It is closed together with this object.
    #
    # @return [IO]
    def to_io
      @io = nil if @io && !@io.closed? && @io.fileno != fileno
      @io ||= IO.for_fd(fileno, autoclose: false)
    end

    # Closes it. A second call does nothing. A wait in another thread fails with an IOError.
    #
    # @return [nil]
    def close
      # Closed first, because another file may take the descriptor's number after `release`.
      @io&.close
      release
      nil
    end
  end

  # A wait that Ruby takes step by step: other threads run, Thread#raise, Thread#kill and Timeout
  # end it at once, and a Fiber scheduler can run other fibers.
  module Wait
    include Closeable

    # Waits for the outcome, and closes the wait in any case.
    def wait
      loop do
        outcome = advance
        return outcome if outcome

        pause(time_left)
      end
    ensure
      close
    end

    # Gives up the attempt, if it has not finished.
    #
    # @return [nil]
    def cancel
      close
    end

    private

    # Waits until the next step is due.
    def pause(seconds)
      to_io.wait_readable(seconds)
    end
  end
end
