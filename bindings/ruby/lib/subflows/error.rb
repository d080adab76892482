# frozen_string_literal: true

module Subflows
  # What was done, what happened, why, and what to do. There is a class per kind.
  #
  # It answers +errno+, which is all that +rescue Errno::ECONNREFUSED+ asks for: that matches it,
  # too.
  class Error < StandardError
    # @return [Integer, nil] the kernel's number, where it gave one
    attr_reader :errno
    # @return [String, nil] which call failed
    attr_reader :operation
    # @return [String, nil] the kernel's own words, where it gave some; they change between kernels
    attr_reader :kernel_text
    # @return [String, nil] what to do about it, in one sentence
    attr_reader :remedy

    def initialize(message = nil, errno: nil, operation: nil, kernel_text: nil, remedy: nil)
      super(message)
      @errno = errno
      @operation = operation
      @kernel_text = kernel_text
      @remedy = remedy
    end

    # @return [Symbol] what kind of error it is, one of the keys of KINDS
    def kind
      self.class::KIND
    end
  end
end
