-- json_decode.lua: the reading half of cjson (see cjson.lua for what it promises).
--
-- A token is read at a position and given as its kind, its value and the position behind it; a kind of
-- "error" has what is wrong as its value, and where in place of the last. Positions count from 1, as they are
-- shown.

local kit = ...
local select, tonumber, floor = select, tonumber, math.floor
local byte, char, find, lower = string.byte, string.char, string.find, string.lower
local match, sub, concat = string.match, string.sub, table.concat
local fail, null = kit.fail, kit.null

local SINGLE = {
  [123] = "T_OBJ_BEGIN", [125] = "T_OBJ_END", [91] = "T_ARR_BEGIN", [93] = "T_ARR_END",
  [58] = "T_COLON", [44] = "T_COMMA",
}
local UNESCAPED = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", t = "\t", n = "\n", f = "\f", r = "\r",
}

-- ---- tokens -----------------------------------------------------------------------------------------------

local function utf8(code)
  if code < 128 then
    return char(code)
  elseif code < 2048 then
    return char(192 + floor(code / 64), 128 + code % 64)
  elseif code < 65536 then
    return char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64)
  end
  return char(
    240 + floor(code / 262144), 128 + floor(code / 4096) % 64, 128 + floor(code / 64) % 64, 128 + code % 64
  )
end

-- The UTF-8 of the \u escape at position, surrogate pairs joined, and the position behind it; nil if it is
-- none.
local function unicode(text, position)
  local digits = match(text, "^\\u(%x%x%x%x)", position)
  local code = digits and tonumber(digits, 16)
  if not code or code >= 0xdc00 and code < 0xe000 then
    return nil
  elseif code < 0xd800 or code >= 0xe000 then
    return utf8(code), position + 6
  end
  local low = match(text, "^\\u([dD][c-fC-F]%x%x)", position + 6)
  if not low then
    return nil
  end
  return utf8((code - 0xd800) * 1024 + tonumber(low, 16) - 0xdc00 + 0x10000), position + 12
end

-- The string whose first character is at start, one at least of its characters escaped.
local function escaped_string(text, start)
  local parts, count = {}, 0
  while true do
    local stop = find(text, '["\\]', start)
    if not stop then
      return "error", "unexpected end of string", #text + 1
    end
    parts[count + 1] = sub(text, start, stop - 1)
    if byte(text, stop) == 34 then
      return "T_STRING", concat(parts), stop + 1
    end
    local letter = sub(text, stop + 1, stop + 1)
    local value = UNESCAPED[letter]
    start = stop + 2
    if letter == "u" then
      value, start = unicode(text, stop)
    end
    if not value then
      return "error", letter == "u" and "invalid unicode escape code" or "invalid escape code", stop
    end
    parts[count + 2] = value
    count = count + 2
  end
end

local function string_token(text, position)
  local stop = find(text, '["\\]', position + 1)
  if stop and byte(text, stop) == 34 then
    return "T_STRING", sub(text, position + 1, stop - 1), stop + 1
  end
  return escaped_string(text, position + 1)
end

-- The position behind what C's strtod would take as a number at position, or nil.
local function number_end(text, position)
  local start = match(text, "^[+-]?()", position)
  local stop = match(text, "^0[xX]%x+%.?%x*()", start) or match(text, "^0[xX]%.%x+()", start)
  if stop then
    return match(text, "^[pP][+-]?%d+()", stop) or stop
  end
  stop = match(text, "^%d+%.?%d*()", start) or match(text, "^%.%d+()", start)
  if stop then
    return match(text, "^[eE][+-]?%d+()", stop) or stop
  end
  local word = lower(sub(text, start, start + 7))
  if sub(word, 1, 3) == "inf" then
    return start + (word == "infinity" and 8 or 3)
  elseif sub(word, 1, 3) == "nan" then
    return match(text, "^%([%w_]*%)()", start + 3) or start + 3
  end
end

-- Would strict JSON refuse the number at position, whatever else strtod says?
local function is_invalid_number(text, position)
  return find(text, "^%+", position)
    or find(text, "^-?0[xX%d]", position)
    or find(text, "^-?[iI][nN][fF]", position)
    or find(text, "^-?[nN][aA][nN]", position)
end

local function number_token(text, position)
  local behind = number_end(text, position)
  if not behind then
    return "error", "invalid number", position
  end
  return "T_NUMBER", tonumber(sub(text, position, behind - 1)), behind
end

-- What begins with neither bracket, quote, colon nor comma.
local function word_token(config, text, position, first)
  if first == 45 or first >= 48 and first <= 57 then
    local stop = match(text, "^[1-9]%d*()", position)
    if stop and not find(text, "^[.eE]", stop) then
      return "T_NUMBER", tonumber(sub(text, position, stop - 1)), stop
    elseif not config.decode_invalid_numbers and is_invalid_number(text, position) then
      return "error", "invalid number", position
    end
    return number_token(text, position)
  elseif find(text, "^true", position) then
    return "T_BOOLEAN", true, position + 4
  elseif find(text, "^false", position) then
    return "T_BOOLEAN", false, position + 5
  elseif find(text, "^null", position) then
    return "T_NULL", null, position + 4
  elseif config.decode_invalid_numbers and is_invalid_number(text, position) then
    return number_token(text, position)
  end
  return "error", "invalid token", position
end

-- The token at position or behind the white space there: kind, value, position behind it, and its own
-- position.
local function next_token(config, text, position)
  local first = byte(text, position)
  if first == 32 or first == 9 or first == 10 or first == 13 then
    position = find(text, "[^ \t\n\r]", position) or #text + 1
    first = byte(text, position)
  end
  local kind, value, behind
  if not first then
    kind = "T_END"
  elseif first == 34 then
    kind, value, behind = string_token(text, position)
  elseif SINGLE[first] then
    kind, behind = SINGLE[first], position + 1
  else
    kind, value, behind = word_token(config, text, position, first)
  end
  return kind, value, behind, position
end

-- ---- values -----------------------------------------------------------------------------------------------

-- Raise: what was expected, and the token that was found.
local function unexpected(expected, kind, value, behind, position)
  if kind == "error" then
    kind, position = value, behind
  end
  return fail("Expected " .. expected .. " but found " .. kind .. " at character " .. position)
end

local function check_depth(config, depth, position)
  if depth > config.decode_max_depth then
    return fail("Found too many nested data structures (" .. depth .. ") at character " .. position)
  end
end

local decode_value

local function decode_object(config, text, position, depth)
  local t = {}
  check_depth(config, depth, position - 1)
  local kind, key, behind, at = next_token(config, text, position)
  if kind == "T_OBJ_END" then
    return t, behind
  end
  while true do
    if kind ~= "T_STRING" then
      return unexpected("object key string", kind, key, behind, at)
    end
    local colon, wrong, start, colon_at = next_token(config, text, behind)
    if colon ~= "T_COLON" then
      return unexpected("colon", colon, wrong, start, colon_at)
    end
    t[key], position = decode_value(config, text, depth, next_token(config, text, start))
    kind, key, behind, at = next_token(config, text, position)
    if kind == "T_OBJ_END" then
      return t, behind
    elseif kind ~= "T_COMMA" then
      return unexpected("comma or object end", kind, key, behind, at)
    end
    kind, key, behind, at = next_token(config, text, behind)
  end
end

local function decode_array(config, text, position, depth)
  local t, index = {}, 1
  check_depth(config, depth, position - 1)
  local kind, value, behind, at = next_token(config, text, position)
  if kind == "T_ARR_END" then
    return t, behind
  end
  while true do
    t[index], position = decode_value(config, text, depth, kind, value, behind, at)
    kind, value, behind, at = next_token(config, text, position)
    if kind == "T_ARR_END" then
      return t, behind
    elseif kind ~= "T_COMMA" then
      return unexpected("comma or array end", kind, value, behind, at)
    end
    kind, value, behind, at = next_token(config, text, behind)
    index = index + 1
  end
end

-- The value that begins with the token given, and the position behind it. depth: of the structures around it.
function decode_value(config, text, depth, kind, value, behind, position)
  if kind == "T_STRING" or kind == "T_NUMBER" or kind == "T_BOOLEAN" or kind == "T_NULL" then
    return value, behind
  elseif kind == "T_OBJ_BEGIN" then
    return decode_object(config, text, behind, depth + 1)
  elseif kind == "T_ARR_BEGIN" then
    return decode_array(config, text, behind, depth + 1)
  end
  return unexpected("value", kind, value, behind, position)
end

-- The function that scripts call.
return function(config)
  return function(...)
    local given = select("#", ...)
    if given ~= 1 then
      return kit.argument_error(1, "expected 1 argument")
    end
    local text = kit.check_string(1, (...), given)
    if find(text, "^.?%z") and #text >= 2 then
      return fail("JSON parser does not support UTF-16 or UTF-32")
    end
    local zero = find(text, "\0", 1, true)
    text = zero and sub(text, 1, zero - 1) or text
    local value, position = decode_value(config, text, 0, next_token(config, text, 1))
    local kind, wrong, behind, at = next_token(config, text, position)
    if kind ~= "T_END" then
      return unexpected("the end", kind, wrong, behind, at)
    end
    return value
  end
end
