-- pack.lua: numbers to bytes and back, for struct and cmsgpack. All strings big endian; callers reverse.
--
-- Lua 5.1 has no integers: 64-bit ones are taken apart into two 32-bit halves, each exact in a double, and
-- put together with one rounding, as C's conversion does.

local kit = ...
local byte, char = string.byte, string.char
local floor, frexp, ldexp, huge = math.floor, math.frexp, math.ldexp, math.huge
local to_integer = kit.to_integer
local pack = {}

local function word(number)
  return char(floor(number / 16777216), floor(number / 65536) % 256, floor(number / 256) % 256, number % 256)
end

-- A 64-bit integer, given as a double with an integral value in -2^63..2^64-1, as 8 bytes in two's
-- complement.
function pack.int64(number)
  local low = number % 4294967296
  return word(floor((number - low) / 4294967296) % 4294967296) .. word(low)
end

-- The unsigned cast of a double: what is negative or not a number goes by the signed one, what is too big is
-- 0.
function pack.to_unsigned(number)
  if number >= 9223372036854775808 then
    return number < 18446744073709551616 and floor(number) or 0
  end
  return to_integer(number)
end

-- size (1..8) bytes of s from position as an integer, signed or not.
function pack.integer(s, position, size, is_signed)
  local high, low = 0, 0
  for index = position, position + size - 5 do
    high = high * 256 + byte(s, index)
  end
  for index = size > 4 and position + size - 4 or position, position + size - 1 do
    low = low * 256 + byte(s, index)
  end
  if is_signed and byte(s, position) >= 128 then
    if size > 4 then
      high = high - 256 ^ (size - 4)
    else
      low = low - 256 ^ size
    end
  end
  return high * 4294967296 + low
end

-- Round x (0 or more) to the nearest integer, half to even.
local function nearest(x)
  local whole = floor(x)
  local rest = x - whole
  if rest > 0.5 or rest == 0.5 and whole % 2 == 1 then
    return whole + 1
  end
  return whole
end

-- sign, exponent and significand of an IEEE 754 number with the given significand bits and largest exponent.
local function split(number, bits, bias)
  local sign = (number < 0 or 1 / number < 0) and 1 or 0
  if number ~= number then
    -- Comparing says nothing of a NaN's sign, printing it does.
    return byte(tostring(number)) == 45 and 1 or 0, 2 * bias + 1, 2 ^ (bits - 1)
  end
  number = number < 0 and -number or number
  if number == 0 then
    return sign, 0, 0
  elseif number == huge then
    return sign, 2 * bias + 1, 0
  end
  local fraction, exponent = frexp(number)
  exponent = exponent - 1 + bias
  if exponent < 1 then
    fraction, exponent = nearest(ldexp(fraction, bits + exponent)), 0
  else
    fraction = nearest(ldexp(fraction, bits + 1)) - 2 ^ bits
  end
  if fraction >= 2 ^ bits then
    fraction, exponent = fraction - 2 ^ bits, exponent + 1
  end
  if exponent >= 2 * bias + 1 then
    return sign, 2 * bias + 1, 0
  end
  return sign, exponent, fraction
end

local function join(sign, exponent, fraction, bits, bias)
  local number
  if exponent == 2 * bias + 1 then
    number = fraction == 0 and huge or -(0 / 0)
  elseif exponent == 0 then
    number = ldexp(fraction, 1 - bias - bits)
  else
    number = ldexp(fraction + 2 ^ bits, exponent - bias - bits)
  end
  return sign == 1 and -number or number
end

function pack.float(number)
  local sign, exponent, fraction = split(number, 23, 127)
  return word(sign * 2147483648 + exponent * 8388608 + fraction)
end

function pack.double(number)
  local sign, exponent, fraction = split(number, 52, 1023)
  local low = fraction % 4294967296
  return word(sign * 2147483648 + exponent * 1048576 + (fraction - low) / 4294967296) .. word(low)
end

function pack.read_float(s, position)
  local bits = pack.integer(s, position, 4, false)
  return join(floor(bits / 2147483648), floor(bits / 8388608) % 256, bits % 8388608, 23, 127)
end

function pack.read_double(s, position)
  local high, low = pack.integer(s, position, 4, false), pack.integer(s, position + 4, 4, false)
  local fraction = high % 1048576 * 4294967296 + low
  return join(floor(high / 2147483648), floor(high / 1048576) % 2048, fraction, 52, 1023)
end

pack.word = word
return pack
