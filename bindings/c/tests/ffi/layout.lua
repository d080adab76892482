-- Compares how LuaJIT lays out the structs of subflows_ffi.h with abi.txt: layout.lua HEADER ABI
local ffi = require("ffi")
ffi.cdef(assert(io.open(arg[1])):read("*a"))
local structs, constants, name, last = 0, 0, nil, nil

local function close()
  if not name then return end
  assert(ffi.sizeof("struct " .. name) == last, name)
  structs = structs + 1
end

for line in io.lines(arg[2]) do
  local offset, size, member = line:match("^  (%d+) (%d+) %S+ (%S+)")
  local constant, number = line:match("^constant (%S+) (%d+)")
  if line:match("^struct ") then
    close()
    name = line:match("^struct (%S+)")
  elseif offset then
    assert(ffi.offsetof("struct " .. name, member) == tonumber(offset), name .. "." .. member)
    last = tonumber(offset) + tonumber(size)
  elseif constant then
    assert(ffi.C[constant] == tonumber(number), constant)
    constants = constants + 1
  end
end
close()
assert(structs > 12 and constants > 50)
-- Every function exists: looking one up that the library does not have is an error.
local library = ffi.load("libsubflows.so.0")
for line in io.lines(arg[2]) do
  local symbol = line:match("^symbol (%S+)")
  if symbol then assert(library[symbol]) end
end
