-- bit.lua: the bit library (BitOp's functions and meaning) on doubles.
--
-- Every operand is first brought into -2^31..2^31-1. and, or and xor of two such numbers are Python's, handed
-- in by the host: one call of about a quarter of a microsecond, which no table of nibbles in Lua comes near.

local kit, band2, bor2, bxor2 = ...
local select, type, tonumber = select, type, tonumber
local floor, frexp, abs, format, sub = math.floor, math.frexp, math.abs, string.format, string.sub
local type_error = kit.type_error

-- Adding 1.5 * 2^52 rounds a number to an integer, half to even, and leaves it in the low bits of the
-- significand.
local ROUND = 6755399441055744

local function signed(number)
  return number >= 2147483648 and number - 4294967296 or number
end

local function operand(index, value, given)
  local number = type(value) == "number" and value or tonumber(value)
  if number and number % 1 == 0 and number >= -2147483648 and number < 2147483648 then
    return number
  elseif not number then
    return type_error(index, "number", value, given)
  end
  number = number + ROUND
  if number >= 4503599627370496 and number < 9007199254740992 then
    return signed(number % 4294967296)
  elseif number ~= number or abs(number) == math.huge then
    return 0
  end
  return signed(abs(frexp(number)) * 9007199254740992 % 4294967296)
end

local function fold(operation)
  return function(...)
    local given = select("#", ...)
    local first, second = ...
    if given == 2 then
      return operation(operand(1, first, 2), operand(2, second, 2))
    end
    local result = operand(1, first, given)
    for index = given, 2, -1 do
      result = operation(result, operand(index, (select(index, ...)), given))
    end
    return result
  end
end

-- operation(bits, count): bits in 0..2^32-1, count in 0..31; its result is taken modulo 2^32.
local function shift(operation)
  return function(...)
    local value, count = ...
    local given = select("#", ...)
    local bits = operand(1, value, given) % 4294967296
    return signed(operation(bits, operand(2, count, given) % 32) % 4294967296)
  end
end

local bit = { band = fold(band2), bor = fold(bor2), bxor = fold(bxor2) }

function bit.tobit(...)
  return operand(1, (...), select("#", ...))
end

function bit.bnot(...)
  return -1 - operand(1, (...), select("#", ...))
end

local function left(bits, count)
  return bits % 2 ^ (32 - count) * 2 ^ count
end

local function right(bits, count)
  return floor(bits / 2 ^ count)
end

bit.lshift = shift(left)
bit.rshift = shift(right)
bit.arshift = shift(function(bits, count)
  return floor(signed(bits) / 2 ^ count)
end)
bit.rol = shift(function(bits, count)
  return left(bits, count) + right(bits, 32 - count)
end)
bit.ror = shift(function(bits, count)
  return right(bits, count) + left(bits, 32 - count)
end)

function bit.bswap(...)
  local bits = operand(1, (...), select("#", ...)) % 4294967296
  local a, b, c, d = bits % 256, right(bits, 8) % 256, right(bits, 16) % 256, right(bits, 24)
  return signed(a * 16777216 + b * 65536 + c * 256 + d)
end

function bit.tohex(...)
  local given = select("#", ...)
  local bits = operand(1, (...), given) % 4294967296
  local digits = given < 2 and 8 or operand(2, (select(2, ...)), given)
  local shape = "%08x"
  if digits < 0 then
    digits, shape = -digits, "%08X"
  end
  return digits == 0 and "" or sub(format(shape, bits), -digits)
end

return bit
