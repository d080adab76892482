<?php
// Connects, opens one more path by each interface, and prints the paths of the connection.
//
//   php list_and_open.php HOST PORT INTERFACE...
//
// Requires CAP_NET_ADMIN, a route to the server by each interface, and a server that speaks Multipath
// TCP and sends as soon as it is connected. In php.ini, ffi.enable must not be false; for web servers,
// see FFI::load() and opcache.preload in PHP's manual.

final class SubflowsError extends RuntimeException
{
    public function __construct(string $message, int $kind, public readonly string $remedy)
    {
        parent::__construct($message, $kind);
    }
}

final class Subflows
{
    public readonly FFI $library;
    public readonly FFI $libc;

    public function __construct()
    {
        $header = getenv('SUBFLOWS_FFI_H') ?: '/usr/local/include/subflows_ffi.h';
        $this->library = FFI::cdef(file_get_contents($header), 'libsubflows.so.0');
        $this->libc = FFI::cdef('long read(int fd, void *buffer, size_t count); int close(int fd);');
    }

    /** Calls subflows_NAME_e(), which copies a failure to its last arguments. */
    public function call(string $name, mixed ...$arguments): int
    {
        $failure = $this->library->new('struct subflows_failure');
        $arguments = [...$arguments, FFI::addr($failure), FFI::sizeof($failure)];
        $result = $this->library->{"subflows_{$name}_e"}(...$arguments);
        if ($result < 0) {
            throw new SubflowsError(
                FFI::string($failure->message),
                $failure->kind,
                FFI::string($failure->remedy),
            );
        }
        return $result;
    }

    /** A text as C keeps it; the caller keeps it while a struct points to it. */
    public function text(string $text): FFI\CData
    {
        $copy = $this->library->new('char[' . strlen($text) + 1 . ']');
        FFI::memcpy($copy, $text, strlen($text));
        return $copy;
    }
}

function address(FFI\CData $storage): string
{
    $bytes = FFI::string($storage->ss_data, 26);
    [$port] = array_values(unpack('n', $bytes));
    return $storage->ss_family === 2
        ? inet_ntop(substr($bytes, 2, 4)) . ":$port"
        : '[' . inet_ntop(substr($bytes, 6, 16)) . "]:$port";
}

function print_error(SubflowsError $error): void
{
    fwrite(STDERR, $error->getMessage() . "\n" . $error->remedy . "\n");
}

function main(string $host, string $port, string ...$interfaces): bool
{
    $subflows = new Subflows();
    $connecting = $subflows->library->new('struct subflows_connect_options');
    $connecting->control = true;
    $fd = $subflows->call('connect', $host, $port, FFI::addr($connecting), FFI::sizeof($connecting));
    // A first byte makes the connection ready for more paths.
    if ($subflows->libc->read($fd, FFI::addr($subflows->libc->new('char[1]')), 1) !== 1) {
        throw new RuntimeException('the server closed the connection');
    }
    $is_complete = true;
    foreach ($interfaces as $interface) {
        $name = $subflows->text($interface);
        $opening = $subflows->library->new('struct subflows_open_options');
        $opening->interface = $subflows->library->cast('char *', $name);
        try {
            $subflows->call('open', $fd, FFI::addr($opening), FFI::sizeof($opening), null, 0);
        } catch (SubflowsError $error) {
            print_error($error);
            $is_complete = false;
        }
    }
    $room = 8;
    $paths = $subflows->library->new("struct subflows_subflow[$room]");
    $size = FFI::sizeof($paths[0]);
    $count = $subflows->call('list', $fd, FFI::addr($paths[0]), $room, $size);
    for ($index = 0; $index < min($count, $room); $index++) {
        $path = $paths[$index];
        echo "$path->id ", address($path->local), ' -> ', address($path->remote), ": $path->rtt_us us\n";
    }
    $subflows->libc->close($fd);
    return $is_complete;
}

if ($argc < 3) {
    fwrite(STDERR, "usage: php list_and_open.php HOST PORT INTERFACE...\n");
    exit(1);
}
try {
    exit(main(...array_slice($argv, 1)) ? 0 : 1);
} catch (SubflowsError $error) {
    print_error($error);
    exit(1);
}
