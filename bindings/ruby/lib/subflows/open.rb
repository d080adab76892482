# frozen_string_literal: true

module Subflows
  # A subflow that is being opened: a wait, for programs that have a loop of their own.
  #
  # Until +advance+ returns the subflow, wait for {#to_io} to be readable, at most +time_left+.
  # If the wait is closed or collected before that, the half-open subflow is closed.
  class Opening
    include Wait

    # @!method advance
    #   Checks whether the subflow is usable, without waiting.
    #   @return [Subflow, nil]
    # @!method time_left
    #   @return [Float] how long to wait at most, in seconds
    # @!method fileno
    #   @return [Integer] the descriptor to poll for readability, the same each time
  end
end
