# frozen_string_literal: true

module Subflows
  # A probe that is under way: a wait, for programs that have a loop of their own.
  #
  # Until +advance+ returns the report, wait for {#to_io} to be readable, at most +time_left+. Do not
  # call it later than that: about a second later, the kernel may stop to use Multipath TCP in the
  # network namespace.
  class Probing
    include Wait

    # @!method advance
    #   Continues, without waiting.
    #   @return [ProbeReport, nil]
    # @!method time_left
    #   @return [Float] how long to wait at most, in seconds
    # @!method fileno
    #   @return [Integer] the descriptor to poll for readability, the same each time
  end
end
