-- kit.lua: what the other runtime files build on: errors that read like those of C functions, and argument
-- checks.
--
-- In Redis everything beside the script is C. A C function's error names the function as the script called it
-- and begins with the line of the script; here that code is Lua, so it has to look for its caller itself. All
-- runtime files carry the same chunk name, and the first frame above them is the script's.
--
-- Not here: anything a script can reach. Scripts never see the debug library.
--
-- memory_kb: above this much in use nothing is taken from the host, whose answers must find room.

local memory_kb = ...
local kit = {}
local collectgarbage, gcinfo = collectgarbage, gcinfo
local getinfo, error, type, tonumber, tostring = debug.getinfo, error, type, tonumber, tostring
local format, floor, ceil = string.format, math.floor, math.ceil
local HERE = getinfo(1, "S").source

-- The frame that called into the runtime, and the name by which it called. nil above the last frame.
local function script_frame()
  local level, name = 2, nil
  while true do
    local frame = getinfo(level, "nSl")
    if not frame or frame.source ~= HERE then
      return frame, name
    end
    name = frame.name
    level = level + 1
  end
end

-- Raise message with the script's position before it, as luaL_error does.
function kit.fail(message)
  local frame = script_frame()
  if frame and frame.currentline > 0 then
    message = format("%s:%d: %s", frame.short_src, frame.currentline, message)
  end
  error(message, 0)
end

-- Raise "bad argument", as luaL_argerror does.
function kit.argument_error(index, extra)
  local _, name = script_frame()
  return kit.fail(format("bad argument #%d to '%s' (%s)", index, name or "?", extra))
end

local argument_error = kit.argument_error

-- Raise "T expected, got U" for argument index. given: how many arguments there were.
function kit.type_error(index, expected, value, given)
  local got = index > given and "no value" or type(value)
  return argument_error(index, format("%s expected, got %s", expected, got))
end

local type_error = kit.type_error

-- value as a number (strings that read as one count), or an error.
function kit.check_number(index, value, given)
  if type(value) == "number" then
    return value
  end
  return type(value) == "string" and tonumber(value) or type_error(index, "number", value, given)
end

-- value as a string (numbers count), or an error.
function kit.check_string(index, value, given)
  if type(value) == "string" then
    return value
  end
  return type(value) == "number" and tostring(value) or type_error(index, "string", value, given)
end

-- number cut to a signed 64-bit integer, as a C cast does on x86-64: what does not fit becomes the smallest.
function kit.to_integer(number)
  if number >= -9223372036854775808 and number < 9223372036854775808 then
    return number >= 0 and floor(number) or ceil(number)
  end
  return -9223372036854775808
end

-- number cut to a signed 32-bit integer: the low half of the above.
function kit.to_int(number)
  number = kit.to_integer(number) % 4294967296
  return number >= 2147483648 and number - 4294967296 or number
end

-- An optional integer argument.
function kit.optional_integer(index, value, default, given)
  if value == nil then
    return default
  end
  return kit.to_integer(kit.check_number(index, value, given))
end

-- To be called before every call of the host that may answer with a string: such a call cannot be stopped
-- half way when memory runs out, so the error is raised here. kb: the answer's size if it may be more than a
-- page or two.
function kit.make_room(kb)
  local limit = memory_kb - (kb or 0)
  if gcinfo() > limit then
    collectgarbage()
    if gcinfo() > limit then
      error("not enough memory", 0)
    end
  end
end

-- Collect, if the next string might not find room.
function kit.ease()
  if gcinfo() > memory_kb then
    collectgarbage()
  end
end

-- The file and line for an error that is leaving the script: those of the function that raised it, or of its
-- caller if that is C or ours. Call it from the handler itself: levels count from there.
function kit.origin()
  local level = 3
  local frame = getinfo(level, "Sl")
  if frame and frame.what == "C" then
    level = level + 1
    frame = getinfo(level, "Sl")
  end
  while frame and frame.source == HERE do
    level = level + 1
    frame = getinfo(level, "Sl")
  end
  if frame and frame.what ~= "tail" then
    return frame.source, frame.currentline
  end
end

-- Is f a function of the runtime, or of C?
function kit.is_ours(f)
  local frame = getinfo(f, "S")
  return frame.source == HERE or frame.what == "C"
end

-- What cjson.null is: unlike anything else. Redis uses the null pointer.
kit.null = newproxy(true)
getmetatable(kit.null).__tostring = function()
  return "userdata: (nil)"
end

return kit
