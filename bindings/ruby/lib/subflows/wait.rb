# frozen_string_literal: true

module Subflows
  # Something with a descriptor of its own, which is closed early or when it is forgotten.
  module Closeable
    # An IO for IO.select and event loops; it is closed with its owner.
    #
    # @return [IO]
    def to_io
      @io = nil if @io && !@io.closed? && @io.fileno != fileno
      @io ||= IO.for_fd(fileno, autoclose: false)
    end

    # Closes it; a second time does nothing. Who waits for it in another thread gets an IOError.
    #
    # @return [nil]
    def close
      # First of all, so that nobody waits for a descriptor that is somebody else's by then.
      @io&.close
      release
      nil
    end
  end

  # A wait that is taken step by step, by Ruby's own means: other threads run meanwhile,
  # Thread#raise, Thread#kill and Timeout end it at once, and a Fiber scheduler takes it over.
  module Wait
    include Closeable

    # Waits for the outcome; closes the wait, whatever it is.
    def wait
      loop do
        outcome = advance
        return outcome if outcome

        pause(time_left)
      end
    ensure
      close
    end

    # Gives up, if it is not over.
    #
    # @return [nil]
    def cancel
      close
    end
  end
end
