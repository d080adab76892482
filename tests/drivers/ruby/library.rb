# frozen_string_literal: true

# The operations of the library, called by their names, and the handles that they return.
class Library
  OPERATIONS = Subflows.singleton_methods(false).map(&:to_s).freeze
  METHODS = %w[announced.turn_away announced.withdraw events.next events.close].freeze
  VERBS = (OPERATIONS + METHODS).freeze
  FLAGS = %i[backup control force only_v6 unbound signal subflow fullmesh laminar processes].freeze
  NUMBERS = %i[
    id token local_port port backlog level number length endpoint_id add_addr_accepted
  ].freeze

  def initialize(sockets)
    @sockets = sockets
    @handles = {}
  end

  def perform(verb, words)
    return perform_on_handle(verb, **words) if METHODS.include?(verb)

    name = words.delete(:name)
    arguments = words.to_h { |key, text| value(key, text) }
    is_of_namespace = verb == "events" && arguments.empty?
    keep(name, is_of_namespace ? Subflows::Events.of_namespace : call(verb, arguments))
  end

  def close_all
    @handles.each_value do |handle|
      handle.is_a?(Subflows::Events) ? handle.close : handle.withdraw
    rescue Subflows::Error
      # The connection is over.
      next
    end
    @handles.clear
  end

  private

  def perform_on_handle(verb, handle:, timeout_ms: nil)
    object = @handles.fetch(handle)
    case verb
    when "announced.turn_away" then { count: object.turn_away }
    when "announced.withdraw" then object.withdraw
    when "events.next" then object.next(Integer(timeout_ms) / 1000.0)
    when "events.close" then @handles.delete(handle).close
    end
  end

  # Passes the arguments as the method takes them: by position, or as keywords.
  def call(verb, arguments)
    method = Subflows.method(verb)
    positional = method.parameters.filter_map { |kind, name| name if %i[req opt].include?(kind) }
    if positional.include?(:host)
      address = arguments.delete(:address)
      return method.call(address.ip_address, address.ip_port, **arguments)
    end
    method.call(*arguments.values_at(*positional), **arguments.except(*positional))
  end

  # An argument's name and its value in the library's type.
  def value(key, text)
    case key
    when :timeout_ms then [:timeout, Integer(text) / 1000.0]
    when :sock then [key, @sockets[text]]
    when :family then [key, PlainSockets::FAMILIES.fetch(text)]
    when *FLAGS then [key, text == "true"]
    when *NUMBERS then [key, Integer(text)]
    # `subflows` is a flag of `connections`, and a number of `set_limits`.
    when :value, :subflows then [key, option_value(text)]
    when :option then [key, text.to_sym]
    when :address, :local, :remote then [key, Request.maybe_address(text)]
    else [key, text]
    end
  end

  # The value of an option of a subflow.
  def option_value(text)
    case text
    when "true", "false" then text == "true"
    when /\A0x/ then [text.delete_prefix("0x")].pack("H*")
    when /\A\d+\z/ then Integer(text, 10)
    else text
    end
  end

  # Keeps a socket or a handle under its name, and returns what the answer contains.
  def keep(name, result)
    case result
    when BasicSocket then @sockets.keep(name, result)
    when Subflows::Announced
      @handles[name] = result
      { id: result.id, address: result.address }
    when Subflows::Events
      @handles[name] = result
      nil
    when Integer, true, false then { value: result }
    when String
      { value: result.encoding == Encoding::BINARY ? "0x#{result.unpack1("H*")}" : result }
    else result
    end
  end
end
