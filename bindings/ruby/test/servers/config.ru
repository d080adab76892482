# frozen_string_literal: true

# Sends back what it gets.
run lambda { |environment|
  body = environment["rack.input"].read.to_s
  [200, { "content-type" => "text/plain", "content-length" => body.bytesize.to_s }, [body]]
}
