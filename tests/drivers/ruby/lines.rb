# frozen_string_literal: true

# The lines of the protocol, read and written.
module Lines
  module_function

  # @return [Array(String, Hash)] a verb and its words
  def read(line)
    verb, *words = line.split
    pairs = words.map do |word|
      key, value = word.split("=", 2)
      [key.to_sym, value.gsub(/%(\h\h)/) { $1.hex.chr }.force_encoding(Encoding::UTF_8)]
    end
    [verb, pairs.to_h]
  end

  # @return [String] what was found out: records, lists, or names with their values
  def told(found)
    ["ok", *fields("", found)].join(" ")
  end

  def fields(before, value)
    case value
    when nil then []
    when Subflows::Record then inside(before, value.deconstruct_keys(nil))
    when Hash then inside(before, value)
    when Array
      counted = { count: value.size }
      inside(before, counted.merge(value.each_with_index.to_h { |item, index| [index, item] }))
    else ["#{before.chomp(".")}=#{encoded(text(value))}"]
    end
  end

  def inside(before, pairs)
    pairs.flat_map { |name, value| fields("#{before}#{name}.", value) }
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

  # :fell_back is "FellBack" to the runner.
  def camel(symbol)
    symbol.to_s.split("_").map(&:capitalize).join
  end

  def encoded(text)
    text.gsub(/[\x00-\x20%\x7f]/) { |letter| format("%%%02X", letter.ord) }
  end

  # @return [Addrinfo] of "10.0.0.1:80" or "[2001:db8::1]:80"
  def address(text)
    host, port = text.match(/\A\[?(.*?)\]?:(\d+)\z/).captures
    Addrinfo.tcp(host, Integer(port))
  end
end
