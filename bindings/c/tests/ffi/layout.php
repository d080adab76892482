<?php
// Compares how PHP lays out the structs of subflows_ffi.h with abi.txt: layout.php HEADER ABI

function check(bool $holds, string $what): void
{
    if (!$holds) {
        fwrite(STDERR, "$what\n");
        exit(1);
    }
}

$library = FFI::cdef(file_get_contents($argv[1]), 'libsubflows.so.0');
$ends = [];
$constants = 0;
foreach (file($argv[2], FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES) as $line) {
    $words = preg_split('/ +/', trim($line));
    if ($words[0] === 'struct') {
        $name = $words[1];
        $type = $library->type("struct $name");
    } elseif ($words[0] === 'constant') {
        check($library->{$words[1]} === (int) $words[2], $words[1]);
        $constants++;
    } elseif ($words[0] === 'symbol') {
        // PHP refuses a declaration that the library does not have.
        check(str_contains(file_get_contents($argv[1]), "$words[1]("), $words[1]);
    } elseif ($words[0] !== '#') {
        check($type->getStructFieldOffset($words[3]) === (int) $words[0], "$name.$words[3]");
        $ends[$name] = $words[0] + $words[1];
    }
}
foreach ($ends as $name => $end) {
    check($library->type("struct $name")->getSize() === $end, $name);
}
check(count($ends) > 12 && $constants > 50, 'the list was not read');
