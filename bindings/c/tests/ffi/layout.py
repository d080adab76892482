"""Compares how cffi lays out the structs of subflows_ffi.h with abi.txt: layout.py HEADER ABI"""

import sys

import cffi

header, abi = (open(path).read() for path in sys.argv[1:])
ffi = cffi.FFI()
ffi.cdef(header)
library = ffi.dlopen("libsubflows.so.0")
ends, name, counts = {}, None, {"symbol": 0, "constant": 0}
for line in abi.splitlines():
    words = line.split()
    if not words or words[0] == "#":
        continue
    if words[0] == "struct":
        name = words[1]
    elif words[0] in counts:
        value = getattr(library, words[1])
        assert words[0] == "symbol" or value == int(words[2]), words
        counts[words[0]] += 1
    else:
        offset, size, _, member = words[:4]
        assert ffi.offsetof(f"struct {name}", member) == int(offset), (name, member)
        ends[name] = int(offset) + int(size)
for name, end in ends.items():
    assert ffi.sizeof(f"struct {name}") == end, name
assert len(ends) > 12 and all(count > 50 for count in counts.values())
