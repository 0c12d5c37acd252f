-- random.lua: math.random and math.randomseed on the 48-bit generator of drand48, so that a seed gives the
-- same numbers everywhere: x' = (0x5DEECE66D x + 0xB) mod 2^48, of which the upper 31 bits are used. Doubles
-- hold 53 bits, so the product is taken in halves of 24.

local kit = ...
local select, floor = select, math.floor
local HALF, LARGEST = 16777216, 2147483647

local high, low = 0x1234AB, 0xCD330E

local function next_number()
  local product = 0xE66D + 0xEC * 65536
  local sum = product * low + 0xB
  high = (0x5DE * low + product * high + floor(sum / HALF)) % HALF
  low = sum % HALF
  return floor((high * HALF + low) / 131072) % LARGEST / LARGEST
end

local function random(...)
  local fraction = next_number()
  local given = select("#", ...)
  local first, second = ...
  if given == 0 then
    return fraction
  elseif given > 2 then
    return kit.fail("wrong number of arguments")
  end
  local least, most = 1, kit.to_int(kit.check_number(1, first, given))
  if given == 2 then
    least, most = most, kit.to_int(kit.check_number(2, second, given))
  end
  if least > most then
    return kit.argument_error(given, "interval is empty")
  end
  return floor(fraction * (most - least + 1)) + least
end

local function randomseed(...)
  local seed = kit.to_int(kit.check_number(1, (...), select("#", ...))) % 4294967296
  high, low = floor(seed / 256), seed % 256 * 65536 + 0x330E
end

return random, randomseed
