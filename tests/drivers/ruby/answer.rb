# frozen_string_literal: true

# Answers: fields and records in one line. See tests/conform/PROTOCOL.md.
module Answer
  module_function

  # @return [String] the line for a request that succeeded
  def ok(found)
    ["ok", *fields("", found)].join(" ")
  end

  def fields(prefix, value)
    case value
    when nil then []
    when Subflows::Record then inner(prefix, value.deconstruct_keys(nil))
    when Hash then inner(prefix, value)
    when Array
      counted = { count: value.size }
      inner(prefix, counted.merge(value.each_with_index.to_h { |item, index| [index, item] }))
    else ["#{prefix.chomp(".")}=#{encoded(text(value))}"]
    end
  end

  def inner(prefix, pairs)
    pairs.flat_map { |name, value| fields("#{prefix}#{name}.", value) }
  end

  def text(value)
    case value
    when Symbol then camel(value)
    when Addrinfo
      ip = value.ip_address.sub(/%.*/, "")
      return ip if value.socktype.zero?

      value.ipv6? ? "[#{ip}]:#{value.ip_port}" : "#{ip}:#{value.ip_port}"
    else value.to_s
    end
  end

  # The runner expects core's names: "FellBack" for :fell_back.
  def camel(symbol)
    symbol.to_s.split("_").map(&:capitalize).join
  end

  def encoded(text)
    text.gsub(/[\x00-\x20%\x7f]/) { |letter| format("%%%02X", letter.ord) }
  end
end
