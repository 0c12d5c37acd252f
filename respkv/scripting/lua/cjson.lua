-- cjson.lua: JSON as lua-cjson 2.1.0 writes and reads it, error texts and settings included.
--
-- Tables whose keys are all positive integers, and that have one, are arrays; all others are objects, {} too.
-- Objects come in the order of Lua's own iteration. null is kit.null. Numbers are written with %.14g; what
-- C's strtod takes beyond JSON (hexadecimal, inf, nan, leading zeros) is read unless told otherwise. A text
-- ends at its first zero byte, as it does in C. Settings last as long as the interpreter: scripts share them,
-- in Redis too.
--
-- One difference from Redis stays: its Lua hashes strings whole, stock Lua leaves out bytes of those of 32 and
-- more, so objects with such keys may come in another order.

local kit, new_encode, new_decode = ...
local select, type = select, type
local argument_error = kit.argument_error
local INT_MAX = 2147483647

-- A setting function takes up to count arguments.
local function check_count(count, ...)
  local given = select("#", ...)
  if given > count then
    return argument_error(count + 1, "found too many arguments")
  end
  return given
end

-- The integer argument, or current if there is none.
local function integer_option(index, value, current, least, most, given)
  if value == nil then
    return current
  end
  local number = kit.to_int(kit.check_number(index, value, given))
  if number < least or number > most then
    return argument_error(1, ("expected integer between %d and %d"):format(least, most))
  end
  return number
end

-- The argument as one of names (true and false are "on" and "off"), or current if there is none.
local function enum_option(index, value, current, names, given)
  if value == nil then
    return current
  elseif type(value) == "boolean" then
    return value and "on" or "off"
  end
  local name = kit.check_string(index, value, given)
  return names[name] and name or argument_error(index, "invalid option '" .. name .. "'")
end

-- How an enum is given back.
local function shown(name)
  if name == "on" or name == "off" then
    return name == "on"
  end
  return name
end

local SWITCH = { on = true, off = true }
local INVALID_NUMBERS = { on = true, off = true, null = true }

-- A library table with settings of its own.
local function new()
  local config = {
    sparse_convert = false, sparse_ratio = 2, sparse_safe = 10,
    encode_max_depth = 1000, decode_max_depth = 1000,
    encode_invalid_numbers = "off", decode_invalid_numbers = true,
    precision = 14, number_format = "%.14g", keep_buffer = "on",
  }
  local cjson = { null = kit.null, _NAME = "cjson", _VERSION = "2.1.0", new = new }
  cjson.encode = new_encode(config)
  cjson.decode = new_decode(config)

  function cjson.encode_sparse_array(...)
    local given = check_count(3, ...)
    local convert, ratio, safe = ...
    local current = config.sparse_convert and "on" or "off"
    config.sparse_convert = enum_option(1, convert, current, SWITCH, given) == "on"
    config.sparse_ratio = integer_option(2, ratio, config.sparse_ratio, 0, INT_MAX, given)
    config.sparse_safe = integer_option(3, safe, config.sparse_safe, 0, INT_MAX, given)
    return config.sparse_convert, config.sparse_ratio, config.sparse_safe
  end

  function cjson.encode_max_depth(...)
    local given = check_count(1, ...)
    config.encode_max_depth = integer_option(1, (...), config.encode_max_depth, 1, INT_MAX, given)
    return config.encode_max_depth
  end

  function cjson.decode_max_depth(...)
    local given = check_count(1, ...)
    config.decode_max_depth = integer_option(1, (...), config.decode_max_depth, 1, INT_MAX, given)
    return config.decode_max_depth
  end

  function cjson.encode_number_precision(...)
    local given = check_count(1, ...)
    config.precision = integer_option(1, (...), config.precision, 1, 14, given)
    config.number_format = "%." .. config.precision .. "g"
    return config.precision
  end

  function cjson.encode_keep_buffer(...)
    local given = check_count(1, ...)
    config.keep_buffer = enum_option(1, (...), config.keep_buffer, SWITCH, given)
    return shown(config.keep_buffer)
  end

  function cjson.encode_invalid_numbers(...)
    local given = check_count(1, ...)
    local current = config.encode_invalid_numbers
    config.encode_invalid_numbers = enum_option(1, (...), current, INVALID_NUMBERS, given)
    return shown(config.encode_invalid_numbers)
  end

  function cjson.decode_invalid_numbers(...)
    local given = check_count(1, ...)
    local current = config.decode_invalid_numbers and "on" or "off"
    config.decode_invalid_numbers = enum_option(1, (...), current, SWITCH, given) == "on"
    return config.decode_invalid_numbers
  end

  return cjson
end

return new
