-- json_encode.lua: the writing half of cjson (see cjson.lua for what it promises).

local kit = ...
local type, next, select, floor, huge = type, next, select, math.floor, math.huge
local char, find, format, gsub, concat = string.char, string.find, string.format, string.gsub, table.concat
local fail, null = kit.fail, kit.null

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\127"] = "\\u007f" }
for code = 0, 31 do
  ESCAPES[char(code)] = format("\\u%04x", code)
end
ESCAPES["\b"], ESCAPES["\t"], ESCAPES["\n"], ESCAPES["\f"], ESCAPES["\r"] = "\\b", "\\t", "\\n", "\\f", "\\r"

local function quote(s)
  return '"' .. (find(s, '[%c"\\/]') and gsub(s, '[%c"\\/]', ESCAPES) or s) .. '"'
end

local function number_text(config, number)
  if number ~= number or number == huge or number == -huge then
    if config.encode_invalid_numbers == "off" then
      return fail("Cannot serialise number: must not be NaN or Inf")
    elseif config.encode_invalid_numbers == "null" then
      return "null"
    elseif number ~= number then
      return "nan"
    end
  end
  return format(config.number_format, number)
end

-- The largest key if all keys of t are positive integers and there is one, else nil.
local function array_length(config, t)
  local largest, items = 0, 0
  for key in next, t do
    if type(key) ~= "number" or key < 1 or floor(key) ~= key then
      return nil
    end
    if key > largest then
      -- C keeps it in an int: what does not fit becomes the smallest.
      largest = key <= 2147483647 and key or -2147483648
    end
    items = items + 1
  end
  local ratio = config.sparse_ratio
  if ratio > 0 and largest > items * ratio and largest > config.sparse_safe then
    return not config.sparse_convert and fail("Cannot serialise table: excessively sparse array") or nil
  end
  return largest > 0 and largest or nil
end

local encode

local function encode_array(config, t, length, parts, count, depth)
  local separator = "["
  for index = 1, length do
    parts[count + 1] = separator
    count = encode(config, t[index], parts, count + 1, depth)
    separator = ","
  end
  parts[count + 1] = "]"
  return count + 1
end

local function encode_object(config, t, parts, count, depth)
  local separator = "{"
  for key, value in next, t do
    local kind, name = type(key), nil
    if kind == "string" then
      name = quote(key)
    elseif kind == "number" then
      name = '"' .. number_text(config, key) .. '"'
    else
      return fail("Cannot serialise " .. kind .. ": table key must be a number or string")
    end
    parts[count + 1] = separator .. name .. ":"
    count = encode(config, value, parts, count + 1, depth)
    separator = ","
  end
  parts[count + 1] = separator == "{" and "{}" or "}"
  return count + 1
end

-- Append value to parts, which holds count strings; returns the new count.
function encode(config, value, parts, count, depth)
  local kind = type(value)
  local text
  if kind == "string" then
    text = quote(value)
  elseif kind == "number" then
    text = number_text(config, value)
  elseif kind == "boolean" then
    text = value and "true" or "false"
  elseif kind == "table" then
    depth = depth + 1
    if depth > config.encode_max_depth then
      return fail("Cannot serialise, excessive nesting (" .. depth .. ")")
    end
    local length = array_length(config, value)
    if length then
      return encode_array(config, value, length, parts, count, depth)
    end
    return encode_object(config, value, parts, count, depth)
  elseif value == nil or value == null then
    text = "null"
  else
    return fail("Cannot serialise " .. kind .. ": type not supported")
  end
  parts[count + 1] = text
  return count + 1
end

-- The function that scripts call.
return function(config)
  return function(...)
    if select("#", ...) ~= 1 then
      return kit.argument_error(1, "expected 1 argument")
    end
    local parts = {}
    return concat(parts, "", 1, encode(config, (...), parts, 0, 0))
  end
end
