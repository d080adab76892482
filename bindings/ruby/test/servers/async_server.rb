# frozen_string_literal: true

# Serves by async-http on the listener that socket activation passed. Sends back what it gets.

require "async"
require "async/http/server"
require "async/http/endpoint"
require "async/io/shared_endpoint"

url = Async::HTTP::Endpoint.parse("http://localhost")
listener = Async::IO::Socket.new(Socket.for_fd(3))
shared = Async::IO::SharedEndpoint.new(url, [listener])
server = Async::HTTP::Server.for(shared, protocol: url.protocol, scheme: url.scheme) do |request|
  Protocol::HTTP::Response[200, {}, [request.read.to_s]]
end
Async { server.run }
