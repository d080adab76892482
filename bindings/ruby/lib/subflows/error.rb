# frozen_string_literal: true

module Subflows
  # The base class of every error; each kind has a class.
  #
  # +rescue Errno::ECONNREFUSED+ matches such an error too, because Ruby compares +errno+.
  class Error < StandardError
    # @return [Integer, nil] the kernel's error number
    attr_reader :errno
    # @return [String, nil] the call that failed
    attr_reader :operation
    # @return [String, nil] the kernel's own text; it differs between kernels
    attr_reader :kernel_text
    # @return [String, nil] the remedy, in one sentence
    attr_reader :remedy

    def initialize(message = nil, errno: nil, operation: nil, kernel_text: nil, remedy: nil)
      super(message)
      @errno = errno
      @operation = operation
      @kernel_text = kernel_text
      @remedy = remedy
    end

    # @return [Symbol] the kind of error: a key of KINDS
    def kind
      self.class::KIND
    end
  end
end
