-- Connects, opens one more path by each interface, and prints the paths of the connection.
--
--   luajit list_and_open.lua HOST PORT INTERFACE...
--
-- Requires CAP_NET_ADMIN, a route to the server by each interface, and a server that speaks Multipath
-- TCP and sends as soon as it is connected.
local ffi = require("ffi")

local header = os.getenv("SUBFLOWS_FFI_H") or "/usr/local/include/subflows_ffi.h"
ffi.cdef(assert(io.open(header)):read("*a"))
ffi.cdef([[
  long read(int fd, void *buffer, size_t count);
  int close(int fd);
  const char *inet_ntop(int family, const void *address, char *text, uint32_t size);
]])
local library = ffi.load("libsubflows.so.0")

-- Calls subflows_NAME_e(), which copies a failure to its last arguments.
local function call(name, ...)
  local failure = ffi.new("struct subflows_failure")
  local arguments = { ... }
  local count = select("#", ...)
  arguments[count + 1], arguments[count + 2] = failure, ffi.sizeof(failure)
  local result = library["subflows_" .. name .. "_e"](unpack(arguments, 1, count + 2))
  if result < 0 then
    -- An error of Lua may be a table; the second value of error() would add a place to a text.
    error({ message = ffi.string(failure.message), remedy = ffi.string(failure.remedy) })
  end
  return result
end

local function options(of, members)
  local filled = ffi.new("struct subflows_" .. of .. "_options", members)
  return filled, ffi.sizeof(filled)
end

local function address(storage)
  local is_v4 = storage.ss_family == 2
  local text = ffi.new("char[46]")
  ffi.C.inet_ntop(storage.ss_family, storage.ss_data + (is_v4 and 2 or 6), text, 46)
  local port = storage.ss_data[0] * 256 + storage.ss_data[1]
  return (is_v4 and "%s:%d" or "[%s]:%d"):format(ffi.string(text), port)
end

local function print_error(problem)
  if type(problem) ~= "table" then error(problem, 0) end
  io.stderr:write(problem.message, "\n", problem.remedy, "\n")
end

local function print_paths(fd)
  local room = 8
  local paths = ffi.new("struct subflows_subflow[?]", room)
  local count = call("list", fd, paths, room, ffi.sizeof(paths[0]))
  for index = 0, math.min(count, room) - 1 do
    local path = paths[index]
    -- `local` is a word of Lua's.
    print(("%d %s -> %s: %d us"):format(path.id, address(path["local"]), address(path.remote), path.rtt_us))
  end
end

local function main(host, port, ...)
  local fd = call("connect", host, port, options("connect", { control = true }))
  -- A first byte makes the connection ready for more paths.
  if ffi.C.read(fd, ffi.new("char[1]"), 1) ~= 1 then error("the server closed the connection", 0) end
  local is_complete = true
  for _, interface in ipairs({ ... }) do
    local opening, size = options("open", { interface = interface })
    local opened, problem = pcall(call, "open", fd, opening, size, nil, 0)
    if not opened then
      print_error(problem)
      is_complete = false
    end
  end
  print_paths(fd)
  ffi.C.close(fd)
  return is_complete
end

if #arg < 2 then
  io.stderr:write("usage: luajit list_and_open.lua HOST PORT INTERFACE...\n")
  os.exit(1)
end
local ran, result = pcall(main, unpack(arg))
if not ran then print_error(result) end
os.exit(ran and result and 0 or 1)
