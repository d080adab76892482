# frozen_string_literal: true

module Subflows
  # The version of the gem, and of the library inside it.
  VERSION = "0.1.0"
end
