# frozen_string_literal: true

module Subflows
  # Tells what this kernel and this process can do, each "no" with its cause and a remedy.
  #
  # Found by trying, without side effects, in the calling thread's network namespace. Needs no
  # privilege.
  #
  # @return [Array<Capability>]
  def self.capabilities
    Native.capabilities
  end
end
