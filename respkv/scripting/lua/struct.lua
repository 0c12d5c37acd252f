-- struct.lua: the struct library: pack, unpack and size of C-like layouts.
--
-- A format is a row of options:   > big endian   < little endian   ![n] align to n at most   ' ' ignored
--   b B h H l L T i[n] I[n]  integers of 1, 2, 8, 8 or n (4) bytes, small letters signed   x  a zero byte
--   when unpacking as many bytes as the number before it says, which it replaces

local kit, pack = ...
local select, tonumber, unpack = select, tonumber, unpack
local find, match, rep = string.find, string.match, string.rep
local reverse, sub, concat, max = string.reverse, string.sub, table.concat, math.max
local fail, argument_error, band = kit.fail, kit.argument_error, kit.band
local check_number, check_string = kit.check_number, kit.check_string

local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, i = 4, I = 4, f = 4, d = 8, x = 1, c = 1 }
local SIZED = { i = true, I = true, c = true }
local SIZELESS = { s = true, [" "] = true, ["<"] = true, [">"] = true, ["!"] = true }
local INTEGER_SIZE_MAX = 32
local RESULTS_MAX = 7997

-- The number in layout at position, or default; and the position behind it.
local function count_at(layout, position, default)
  local digits = match(layout, "^%d+", position)
  local count = digits and tonumber(digits) or default
  if count > 2147483647 then
    return fail("integral size overflow")
  end
  return count, position + (digits and #digits or 0)
end

local function check_alignment(align)
  local power = align
  while power > 1 and power % 2 == 0 do
    power = power / 2
  end
  return power == 1 and align or fail("alignment " .. align .. " is not a power of 2")
end

-- A function that takes the offset reached and returns the next option that has a value or takes room: its
-- letter, its size, the padding before it, and whether it is little endian. nil at the end. passes: unknown
-- letters and digits stand for nothing, as they do for size.
local function reader(layout, passes)
  local position, align, little = 1, 1, true
  local last = (find(layout, "%z") or #layout + 1) - 1 -- In C the format ends at its first zero.
  return function(offset)
    while position <= last do
      local option = sub(layout, position, position)
      local size = SIZES[option]
      position = position + 1
      if SIZED[option] then
        size, position = count_at(layout, position, size)
      end
      if size and size > INTEGER_SIZE_MAX and option ~= "c" then
        return fail("integral size " .. size .. " is larger than limit of " .. INTEGER_SIZE_MAX)
      elseif option == "<" or option == ">" then
        little = option == "<"
      elseif option == "!" then
        align, position = count_at(layout, position, 8)
        check_alignment(align)
      elseif size or option == "s" then
        local boundary = option ~= "c" and size or 0
        boundary = boundary > align and align or boundary
        -- C masks like this whether or not the boundary is a power of two.
        local padding = boundary > 1 and band(boundary - band(offset, boundary - 1), boundary - 1) or 0
        return option, size or 0, padding, little
      elseif not SIZELESS[option] and not (passes and find(option, "%w")) then
        return argument_error(1, "invalid format option '" .. option .. "'")
      end
    end
  end
end

local function in_order(bytes, little)
  return little and reverse(bytes) or bytes
end

-- The lowest size bytes of a number in two's complement; zeros above 64 bits.
local function integer_bytes(number, size)
  local bytes = pack.int64(pack.to_unsigned(number))
  return size <= 8 and sub(bytes, 9 - size) or rep("\0", size - 8) .. bytes
end

local function string_bytes(option, size, value, index)
  size = size > 0 and size or #value
  if #value < size then
    -- C has stepped to the next argument when it says so.
    return argument_error(index + 1, "string too short")
  end
  return option == "s" and value .. "\0" or sub(value, 1, size)
end

local struct = {}

function struct.pack(...)
  local given = select("#", ...)
  local values = { ... }
  local next_option = reader(check_string(1, values[1], given))
  local parts, count, index, offset = {}, 0, 2, 0
  local option, size, padding, little = next_option(0)
  while option do
    local bytes
    -- C marks the end of the arguments with a nil, which is what it finds there.
    local known = max(given, index)
    if option == "x" then
      bytes, index = "\0", index - 1
    elseif option == "f" then
      bytes = in_order(pack.float(check_number(index, values[index], known)), little)
    elseif option == "d" then
      bytes = in_order(pack.double(check_number(index, values[index], known)), little)
    elseif option == "c" or option == "s" then
      bytes = string_bytes(option, size, check_string(index, values[index], known), index)
    else
      bytes = in_order(integer_bytes(check_number(index, values[index], known), size), little)
    end
    parts[count + 1], parts[count + 2] = rep("\0", padding), bytes
    count, index, offset = count + 2, index + 1, offset + padding + #bytes
    option, size, padding, little = next_option(offset)
  end
  return concat(parts)
end

-- Of more than 8 bytes only the lowest 8 count. The sign C then extends from the bit 8 * size - 1 of the 64
-- that there are, which x86-64 takes modulo 64: every bit from there on is set if one of them is.
local function read_integer(data, start, option, size, little)
  local bytes = in_order(sub(data, start, start + size - 1), little)
  local is_signed = find(option, "%l") ~= nil
  if size <= 8 then
    return pack.integer(bytes, 1, size, is_signed)
  end
  bytes, size = sub(bytes, -8), (size - 1) % 8 + 1
  if not is_signed then
    return pack.integer(bytes, 1, 8, false)
  end
  local number = pack.integer(bytes, 9 - size, size, true)
  if number >= 0 and find(sub(bytes, 1, 8 - size), "[^%z]") then
    number = number - 2 ^ (8 * size - 1)
  end
  return number
end

function struct.unpack(...)
  local given = select("#", ...)
  local layout, data, first = ...
  local next_option = reader(check_string(1, layout, given))
  data = check_string(2, data, given)
  local offset = kit.optional_integer(3, first, 1, given) - 1
  if offset == -1 then
    return argument_error(3, "offset must be 1 or greater")
  end
  local results, count = {}, 0
  local option, size, padding, little = next_option(offset)
  while option do
    offset = offset + padding
    if offset < 0 or size > #data or offset > #data - size then
      return argument_error(2, "data string too short")
    elseif count > RESULTS_MAX then
      return fail("stack overflow (too many results)")
    end
    local start, value = offset + 1, nil
    if option == "f" then
      value = pack.read_float(in_order(sub(data, start, offset + 4), little), 1)
    elseif option == "d" then
      value = pack.read_double(in_order(sub(data, start, offset + 8), little), 1)
    elseif option == "c" then
      if size == 0 then
        size = count > 0 and tonumber(results[count]) or fail("format 'c0' needs a previous size")
        size, count = pack.to_unsigned(size) % 18446744073709551616, count - 1
        if size > #data or offset > #data - size then
          return argument_error(2, "data string too short")
        end
      end
      value = sub(data, start, offset + size)
    elseif option == "s" then
      local zero = find(data, "\0", start, true) or fail("unfinished string in data")
      value, size = sub(data, start, zero - 1), zero - offset
    elseif option ~= "x" then
      value = read_integer(data, start, option, size, little)
    end
    if value ~= nil then
      count = count + 1
      results[count] = value
    end
    offset = offset + size
    option, size, padding, little = next_option(offset)
  end
  results[count + 1] = offset + 1
  return unpack(results, 1, count + 1)
end

function struct.size(...)
  local next_option = reader(check_string(1, (...), select("#", ...)), true)
  local offset = 0
  local option, size, padding = next_option(0)
  while option do
    if option == "s" or option == "c" and size == 0 then
      return argument_error(1, "option '" .. (option == "c" and "c0" or "s") .. "' has no fixed size")
    end
    offset = offset + padding + size
    option, size, padding = next_option(offset)
  end
  return offset
end

return struct
