# frozen_string_literal: true

module Subflows
  # The results of the verbs: frozen, shareable between Ractors, equal if all fields are equal.
  #
  # A field is converted when it is read. Records match patterns:
  #
  #   case Subflows.status(socket)
  #   in {state: :mptcp, is_ready: true} then Subflows.open(socket)
  #   in {state: :fell_back | :tcp} then warn "one path only"
  #   end
  module Record
    # @return [Array<Symbol>] the names of the fields, in order
    def members
      self.class::MEMBERS
    end

    # @return [Hash{Symbol => Object}] the fields; records in it become hashes as well
    def to_h
      members.to_h { |name| [name, Record.plain(public_send(name))] }
    end

    # For pattern matching. Reads only the fields of the pattern.
    def deconstruct_keys(keys)
      asked = keys ? keys & members : members
      asked.to_h { |name| [name, public_send(name)] }
    end

    def inspect
      fields = members.map { |name| " #{name}=#{Record.brief(public_send(name))}" }
      "#<#{self.class}#{fields.join(",")}>"
    end
    alias to_s inspect

    # @return [self] a record cannot change
    def dup
      self
    end

    # @return [self] a record cannot change
    def clone(freeze: true)
      self
    end

    # @api private
    # @raise [TypeError] a record belongs to the process that made it
    def _dump(_level)
      raise TypeError, "#{self.class} cannot be dumped: dump its to_h"
    end

    # @api private
    def self.plain(value)
      case value
      when Record then value.to_h
      when Array then value.map { |item| plain(item) }
      else value
      end
    end

    # @api private
    def self.brief(value)
      value.is_a?(Addrinfo) ? value.inspect_sockaddr : value.inspect
    end
  end
end
