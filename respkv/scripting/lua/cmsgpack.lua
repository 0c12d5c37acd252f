-- cmsgpack.lua: MessagePack as lua-cmsgpack 0.4.0 writes and reads it.
--
-- Numbers without a fraction are integers of the smallest form, others a float if that loses nothing. A table
-- with keys 1..n only is an array, else a map; below 16 levels tables become nil. Strings are "raw"; no bin,
-- no ext.

local kit, pack = ...
local select, type, next, unpack, error = select, type, next, unpack, error
local byte, char, sub, concat = string.byte, string.char, string.sub, table.concat
local floor = math.floor
local fail, check_string, check_number = kit.fail, kit.check_string, kit.check_number

local NESTING_MAX = 16
local RESULTS_MAX = 7997

local function half(number)
  return char(floor(number / 256), number % 256)
end

local function encode_integer(number)
  if number >= 0 then
    if number < 128 then
      return char(number)
    elseif number < 256 then
      return "\204" .. char(number)
    elseif number < 65536 then
      return "\205" .. half(number)
    elseif number < 4294967296 then
      return "\206" .. pack.word(number)
    end
    return "\207" .. pack.int64(number)
  elseif number >= -32 then
    return char(number + 256)
  elseif number >= -128 then
    return "\208" .. char(number + 256)
  elseif number >= -32768 then
    return "\209" .. half(number + 65536)
  elseif number >= -2147483648 then
    return "\210" .. pack.word(number + 4294967296)
  end
  return "\211" .. pack.int64(number)
end

local function encode_number(number)
  if floor(number) == number and number >= -9223372036854775808 and number < 9223372036854775808 then
    return encode_integer(number)
  end
  local short = pack.float(number)
  if pack.read_float(short, 1) == number then
    return "\202" .. short
  end
  return "\203" .. pack.double(number)
end

-- The opening of something with count parts: one byte up to few, else one of the bytes medium and large, and
-- the count.
local function opening(count, fixed, few, medium, large)
  if count <= few then
    return char(fixed + count)
  elseif count < 65536 then
    return medium .. half(count)
  end
  return large .. pack.word(count)
end

local function encode_string(s)
  if #s >= 32 and #s < 256 then
    return "\217" .. char(#s) .. s
  end
  return opening(#s, 160, 31, "\218", "\219") .. s
end

-- Are the keys of t 1..n? And the number of keys.
local function shape(t)
  local count, largest, is_array = 0, 0, true
  for key in next, t do
    count = count + 1
    if is_array and type(key) == "number" and key > 0 and key <= 2147483647 and floor(key) == key then
      largest = key > largest and key or largest
    else
      is_array = false
    end
  end
  return is_array and largest == count, count
end

local encode

local function encode_table(t, parts, count, level)
  local is_array, size = shape(t)
  count = count + 1
  if is_array then
    parts[count] = opening(size, 144, 15, "\220", "\221")
    for index = 1, size do
      count = encode(t[index], parts, count, level + 1)
    end
    return count
  end
  parts[count] = opening(size, 128, 15, "\222", "\223")
  for key, value in next, t do
    count = encode(value, parts, encode(key, parts, count, level + 1), level + 1)
  end
  return count
end

-- Append value to parts, which holds count; returns the new count.
function encode(value, parts, count, level)
  local kind = type(value)
  if kind == "table" and level < NESTING_MAX then
    return encode_table(value, parts, count, level)
  elseif kind == "string" then
    parts[count + 1] = encode_string(value)
  elseif kind == "number" then
    parts[count + 1] = encode_number(value)
  elseif kind == "boolean" then
    parts[count + 1] = value and "\195" or "\194"
  else
    parts[count + 1] = "\192"
  end
  return count + 1
end

local decode

-- Raises when fewer than size bytes are left at position.
local function need(s, position, size)
  return position + size - 1 <= #s or fail("Missing bytes in input.")
end

local function read_count(s, position, size)
  need(s, position, size)
  return pack.integer(s, position, size, false), position + size
end

local function read_string(s, position, size)
  need(s, position, size)
  return sub(s, position, position + size - 1), position + size
end

local function read_array(s, position, count)
  local t = {}
  for index = 1, count do
    t[index], position = decode(s, position)
  end
  return t, position
end

local function read_map(s, position, count)
  local t, key, value = {}, nil, nil
  for _ = 1, count do
    key, position = decode(s, position)
    value, position = decode(s, position)
    if key == nil or key ~= key then
      error("table index is " .. (key == nil and "nil" or "NaN"), 0)
    end
    t[key] = value
  end
  return t, position
end

local function reader(size, is_signed)
  return function(s, position)
    need(s, position, size)
    return pack.integer(s, position, size, is_signed), position + size
  end
end

local function sized(read, size)
  return function(s, position)
    local count
    count, position = read_count(s, position, size)
    return read(s, position, count)
  end
end

-- By first byte (0xcf, unsigned, is read as signed in Redis too): a function of the string and the position
-- behind that byte, to the value and the position behind it.
local DECODERS = {
  [0xc0] = function(_, position) return nil, position end,
  [0xc2] = function(_, position) return false, position end,
  [0xc3] = function(_, position) return true, position end,
  [0xca] = function(s, position) need(s, position, 4) return pack.read_float(s, position), position + 4 end,
  [0xcb] = function(s, position) need(s, position, 8) return pack.read_double(s, position), position + 8 end,
  [0xcc] = reader(1, false), [0xcd] = reader(2, false), [0xce] = reader(4, false), [0xcf] = reader(8, true),
  [0xd0] = reader(1, true), [0xd1] = reader(2, true), [0xd2] = reader(4, true), [0xd3] = reader(8, true),
  [0xd9] = sized(read_string, 1), [0xda] = sized(read_string, 2), [0xdb] = sized(read_string, 4),
  [0xdc] = sized(read_array, 2), [0xdd] = sized(read_array, 4),
  [0xde] = sized(read_map, 2), [0xdf] = sized(read_map, 4),
}

-- The value at position and the position behind it.
function decode(s, position)
  local first = byte(s, position)
  if not first then
    return fail("Missing bytes in input.")
  end
  local decoder = DECODERS[first]
  position = position + 1
  if decoder then
    return decoder(s, position)
  elseif first < 0x80 then
    return first, position
  elseif first < 0x90 then
    return read_map(s, position, first - 0x80)
  elseif first < 0xa0 then
    return read_array(s, position, first - 0x90)
  elseif first < 0xc0 then
    return read_string(s, position, first - 0xa0)
  elseif first >= 0xe0 then
    return first - 256, position
  end
  return fail("Bad data format in input.")
end

-- Up to limit values of s behind offset; both 0: all of them, and no offset before them.
local function unpack_values(s, limit, offset)
  if offset < 0 or limit < 0 then
    return fail("Invalid request to unpack with offset of " .. offset .. " and limit of " .. #s .. ".")
  elseif offset > #s then
    return fail("Start offset " .. offset .. " greater than input length " .. #s .. ".")
  end
  local all = limit == 0 and offset == 0
  local values, count, position = {}, 0, offset + 1
  while position <= #s and (all or count < limit) do
    if count > RESULTS_MAX then
      return fail("stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)")
    end
    count = count + 1
    values[count], position = decode(s, position)
  end
  if all then
    return unpack(values, 1, count)
  end
  return position > #s and -1 or position - 1, unpack(values, 1, count)
end

local cmsgpack = {
  _NAME = "cmsgpack",
  _VERSION = "lua-cmsgpack 0.4.0",
  _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}

function cmsgpack.pack(...)
  local given = select("#", ...)
  if given == 0 then
    return kit.argument_error(0, "MessagePack pack needs input.")
  end
  local values, parts, count = { ... }, {}, 0
  for index = 1, given do
    count = encode(values[index], parts, count, 0)
  end
  return concat(parts)
end

function cmsgpack.unpack(...)
  return unpack_values(check_string(1, (...), select("#", ...)), 0, 0)
end

function cmsgpack.unpack_one(...)
  local given = select("#", ...)
  local s, start = ...
  local offset = kit.optional_integer(2, start, 0, given)
  return unpack_values(check_string(1, s, given), 1, offset)
end

function cmsgpack.unpack_limit(...)
  local given = select("#", ...)
  local s, count, start = ...
  local limit = kit.to_integer(check_number(2, count, given))
  local offset = kit.optional_integer(3, start, 0, given)
  return unpack_values(check_string(1, s, given), limit, offset)
end

return cmsgpack
