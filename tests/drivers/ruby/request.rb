# frozen_string_literal: true

# Requests: one line of the runner. See tests/conform/PROTOCOL.md.
module Request
  module_function

  # @return [Array(String, Hash)] the verb, and the values by their keys
  def read(line)
    verb, *words = line.split
    pairs = words.map do |word|
      key, value = word.split("=", 2)
      [key.to_sym, value.gsub(/%(\h\h)/) { $1.hex.chr }.force_encoding(Encoding::UTF_8)]
    end
    [verb, pairs.to_h]
  end

  # @return [Addrinfo] of "10.0.0.1:80" or "[2001:db8::1]:80"
  def address(text)
    host, port = text.match(/\A\[?(.*?)\]?:(\d+)\z/).captures
    Addrinfo.tcp(host, Integer(port))
  end

  # @return [Addrinfo, String] an IP address without a port stays a string
  def maybe_address(text)
    text.start_with?("[") || text.count(":") == 1 ? address(text) : text
  end
end
