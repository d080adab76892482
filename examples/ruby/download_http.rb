# frozen_string_literal: true

# A download by Net::HTTP that opens a second path after 1 MiB, and survives the loss of its first.
#
# download_http.rb URL INTERFACE, with CAP_NET_ADMIN. Prints the number of bytes, and a checksum.

require "subflows/http"
require "zlib"

$stdout.sync = true

SECOND_PATH_AFTER = 1 << 20

url, interface = ARGV
abort "usage: download_http.rb URL INTERFACE" unless url && interface
uri = URI(url)

http = Subflows::HTTP.new(uri.host, uri.port)
http.use_ssl = uri.scheme == "https"
http.control = true
received = checksum = 0
has_second = false

http.start do
  http.request_get(uri.request_uri) do |response|
    response.read_body do |part|
      received += part.bytesize
      checksum = Zlib.crc32(part, checksum)
      next if has_second || received < SECOND_PATH_AFTER

      has_second = true
      path = Subflows.open(http, interface: interface)
      puts "opened #{path.local.inspect_sockaddr} -> #{path.remote.inspect_sockaddr}"
    end
  end
end
puts format("%d bytes, checksum %08x", received, checksum)
