-- reply.lua: RESP to Lua values and back, by Redis's rules for both protocol versions.
--
--   reply            Lua                                          Lua        reply, RESP2     RESP3
--   $ string         string          $-1, *-1   false             string     $                $
--   : integer        number          _          nil               number     : (cut)          :
--   + status         {ok=s}          - error    {err=s, ...}      {ok=s}     +                +
--   * array          {1..n}          % map      {map={k=v}}       {err=s}    -                -
--   ~ set            {set={v=true}}  , double   {double=n}        {1..n}     * up to nil      *
--   # boolean        boolean         ( big      {big_number=s}    {double=n} $                ,
--   = verbatim       {verbatim_string={format=,string=}}          {map=t}    *                %
--   | attribute      left out                                     nil        $-1              _
--
-- A boolean goes out as :1 and null while the script speaks RESP2, and as a boolean once it has asked for
-- RESP3. Tables are read raw, without metamethods.

local type, next, rawget, tonumber = type, next, rawget, tonumber
local byte, find, format, gsub = string.byte, string.find, string.format, string.gsub
local match, sub, concat = string.match, string.sub, table.concat

local NESTING_MAX = 6000
local LONG = 65536

local reply = {}

-- ---- RESP to Lua ------------------------------------------------------------------------------------------

-- The table for an error: text is "-CODE message", or a message that is to have the code ERR.
function reply.error_table(text)
  text = match(text, "^[^%z]*")
  local code, message = "ERR", text
  if byte(text) == 45 then
    code, message = match(text, "^-([^ ]*) (.*)$")
    if not code then
      code, message = "ERR", sub(text, 2)
    end
  end
  local t = {}
  t.err = code .. " " .. match(message, "^[\r\n]*(.-)[\r\n]*$")
  return t
end

-- The same for the error reply of a command, which has been counted where it ran.
local function error_reply(line)
  local t = reply.error_table("-" .. line)
  t.ignore_error_stats_update = true
  return t
end

local parse

-- count elements of s from position on, in a new table; and the position behind them. Strings are most of
-- what is read, so they are read here.
local function parse_elements(s, count, position)
  local t = {}
  for index = 1, count do
    if byte(s, position) == 36 and byte(s, position + 1) ~= 45 then
      local stop = find(s, "\n", position, true)
      local start = stop + 1
      position = start + sub(s, position + 1, stop - 2)
      t[index] = sub(s, start, position - 1)
      position = position + 2
    else
      t[index], position = parse(s, position)
    end
  end
  return t, position
end

local function parse_pairs(s, count, position)
  local t, key = {}, nil
  for _ = 1, count do
    key, position = parse(s, position)
    t[key], position = parse(s, position)
  end
  return t, position
end

local function parse_set(s, count, position)
  local t, key = {}, nil
  for _ = 1, count do
    key, position = parse(s, position)
    t[key] = true
  end
  return t, position
end

-- {[name] = value}, made as Redis makes it: the order of a table's fields depends on how it grew.
local function single(name, value)
  local t = {}
  t[name] = value
  return t
end

local function verbatim(s)
  local t = {}
  t.string, t.format = sub(s, 5), sub(s, 1, 3)
  return single("verbatim_string", t)
end

-- By the first byte: from the reply, the rest of its first line and the position behind that, to the value
-- and the position behind the reply.
local PARSERS = {
  [36] = function(s, line, behind) -- $
    local size = tonumber(line)
    if size < 0 then
      return false, behind
    end
    return sub(s, behind, behind + size - 1), behind + size + 2
  end,
  [58] = function(_, line, behind) -- :
    return tonumber(line), behind
  end,
  [43] = function(_, line, behind) -- +
    return single("ok", line), behind
  end,
  [45] = function(_, line, behind) -- -
    return error_reply(line), behind
  end,
  [42] = function(s, line, behind) -- *
    local count = tonumber(line)
    if count < 0 then
      return false, behind
    end
    return parse_elements(s, count, behind)
  end,
  [37] = function(s, line, behind) -- %
    local t
    t, behind = parse_pairs(s, tonumber(line), behind)
    return single("map", t), behind
  end,
  [126] = function(s, line, behind) -- ~
    local t
    t, behind = parse_set(s, tonumber(line), behind)
    return single("set", t), behind
  end,
  [95] = function(_, _, behind) -- _
    return nil, behind
  end,
  [35] = function(_, line, behind) -- #
    return line == "t", behind
  end,
  [44] = function(_, line, behind) -- ,
    return single("double", tonumber(line)), behind
  end,
  [40] = function(_, line, behind) -- (
    return single("big_number", line), behind
  end,
  [61] = function(s, line, behind) -- =
    local stop = behind + line
    return verbatim(sub(s, behind, stop - 1)), stop + 2
  end,
  [124] = function(s, line, behind) -- |
    for _ = 1, 2 * line do
      _, behind = parse(s, behind)
    end
    return parse(s, behind)
  end,
}

-- The value of the reply in s at position, and the position behind it.
function parse(s, position)
  local stop = find(s, "\n", position, true)
  return PARSERS[byte(s, position)](s, sub(s, position + 1, stop - 2), stop + 1)
end

-- The value of the whole reply s.
function reply.parse(s)
  local first = byte(s)
  if first == 36 then
    if byte(s, 2) == 45 then
      return false
    end
    return sub(s, find(s, "\n", 3, true) + 1, -3)
  elseif first == 58 then
    return tonumber(sub(s, 2, -3))
  elseif first == 43 then
    return single("ok", sub(s, 2, -3))
  end
  return (parse(s, 1))
end

-- ---- Lua to RESP -----------------------------------------------------------------------------------------

-- Of the reply being written: its pieces and their number, how deep it is, the protocol versions of client
-- and script, and what stands for nothing.
local parts, count, depth, client, script, null

-- "$n\r\n" by n, which costs more to make than all the rest of a short string's reply.
local HEADS = {}
for size = 0, 1023 do
  HEADS[size] = "$" .. size .. "\r\n"
end

local function bulk(s)
  return (HEADS[#s] or "$" .. #s .. "\r\n") .. s .. "\r\n"
end

-- s as C sees it, up to its first zero, in one line.
local function one_line(s)
  if find(s, "[%z\r\n]") then
    return (gsub(match(s, "^[^%z]*"), "[\r\n]", " "))
  end
  return s
end

local put

local function put_pairs(t, with_values)
  local place, size = count + 1, 0
  count = place
  for key, value in next, t do
    put(key)
    if with_values then
      put(value)
    end
    size = size + 1
  end
  local mark = client == 2 and "*" or with_values and "%" or "~"
  parts[place] = mark .. (mark == "*" and with_values and 2 * size or size) .. "\r\n"
end

local function put_array(t)
  local place, size = count + 1, 0
  local value = rawget(t, 1)
  count = place
  while value ~= nil do
    if type(value) == "string" then
      local head = HEADS[#value] or "$" .. #value .. "\r\n"
      parts[count + 1], parts[count + 2], parts[count + 3] = head, value, "\r\n"
      count = count + 3
    else
      put(value)
    end
    size = size + 1
    value = rawget(t, size + 1)
  end
  parts[place] = "*" .. size .. "\r\n"
end

local function double_text(number)
  local text = format("%.17g", number)
  return client == 2 and bulk(text) or "," .. text .. "\r\n"
end

local function verbatim_text(t)
  local kind, s = rawget(t, "format"), rawget(t, "string")
  if type(kind) ~= "string" or type(s) ~= "string" then
    return nil
  elseif client == 2 then
    return bulk(s)
  end
  return "=" .. #s + 4 .. "\r\n" .. sub(match(kind, "^[^%z]*") .. "   ", 1, 3) .. ":" .. s .. "\r\n"
end

-- The text of a table that stands for something other than an array, map or set; nil if it does not.
local function special_text(t)
  local value = rawget(t, "err")
  if type(value) == "string" then
    return "-" .. one_line(match(match(value, "^[^%z]*"), "^(.-)[\r\n]*$")) .. "\r\n"
  end
  value = rawget(t, "ok")
  if type(value) == "string" then
    return "+" .. one_line(value) .. "\r\n"
  end
  value = rawget(t, "double")
  if type(value) == "number" then
    return double_text(value)
  end
  value = rawget(t, "big_number")
  if type(value) == "string" then
    value = gsub(value, "[\r\n]", " ")
    return client == 2 and bulk(value) or "(" .. value .. "\r\n"
  end
  value = rawget(t, "verbatim_string")
  return type(value) == "table" and verbatim_text(value) or nil
end

local function put_table(t)
  local text = special_text(t)
  if text then
    count = count + 1
    parts[count] = text
  elseif type(rawget(t, "map")) == "table" then
    put_pairs(rawget(t, "map"), true)
  elseif type(rawget(t, "set")) == "table" then
    put_pairs(rawget(t, "set"), false)
  else
    put_array(t)
  end
end

local function boolean_text(value)
  if script == 3 then
    return client == 3 and (value and "#t\r\n" or "#f\r\n") or (value and ":1\r\n" or ":0\r\n")
  elseif value then
    return ":1\r\n"
  end
  return null
end

function put(value)
  local kind = type(value)
  local text
  if kind == "string" then
    text = bulk(value)
  elseif kind == "number" then
    text = format(":%d\r\n", value)
  elseif kind == "boolean" then
    text = boolean_text(value)
  elseif kind ~= "table" then
    text = null
  elseif depth < NESTING_MAX then
    depth = depth + 1
    put_table(value)
    depth = depth - 1
    return
  else
    text = "-ERR reached lua stack limit\r\n"
  end
  count = count + 1
  parts[count] = text
end

-- value as a reply to a client of protocol version to, from a script that has set version from. Of a long
-- string only the string, and true: the host copies it anyway, and here each copy takes memory until it is
-- collected.
function reply.format(value, to, from)
  local kind = type(value)
  if kind == "string" then
    if #value >= LONG then
      return value, true
    end
    return bulk(value)
  elseif kind == "number" then
    return format(":%d\r\n", value)
  end
  parts, count, depth = {}, 0, 0
  client, script, null = to, from, to == 2 and "$-1\r\n" or "_\r\n"
  put(value)
  local text = concat(parts, "", 1, count)
  parts = nil
  return text
end

-- The line of an error that ends a script.
function reply.error_line(text)
  return "-" .. one_line(text) .. "\r\n"
end

return reply
