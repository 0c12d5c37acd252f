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

local kit = ...
local type, next, rawget, tonumber = type, next, rawget, tonumber
local byte, find, format, gsub, match, sub, concat =
  string.byte, string.find, string.format, string.gsub, string.match, string.sub, table.concat

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

local PARSERS
PARSERS = {
  ["$"] = function(s, line, behind)
    local size = tonumber(line)
    if size < 0 then
      return false, behind
    end
    return sub(s, behind, behind + size - 1), behind + size + 2
  end,
  [":"] = function(_, line, behind)
    return tonumber(line), behind
  end,
  ["+"] = function(_, line, behind)
    local t = {}
    t.ok = line
    return t, behind
  end,
  ["-"] = function(_, line, behind)
    return error_reply(line), behind
  end,
  ["*"] = function(s, line, behind)
    local count = tonumber(line)
    if count < 0 then
      return false, behind
    end
    local t = {}
    for index = 1, count do
      t[index], behind = parse(s, behind)
    end
    return t, behind
  end,
  ["%"] = function(s, line, behind)
    local t, outer, key = {}, {}, nil
    for _ = 1, tonumber(line) do
      key, behind = parse(s, behind)
      t[key], behind = parse(s, behind)
    end
    outer.map = t
    return outer, behind
  end,
  ["~"] = function(s, line, behind)
    local t, outer, key = {}, {}, nil
    for _ = 1, tonumber(line) do
      key, behind = parse(s, behind)
      t[key] = true
    end
    outer.set = t
    return outer, behind
  end,
  ["_"] = function(_, _, behind)
    return nil, behind
  end,
  ["#"] = function(_, line, behind)
    return line == "t", behind
  end,
  [","] = function(_, line, behind)
    local t = {}
    t.double = tonumber(line)
    return t, behind
  end,
  ["("] = function(_, line, behind)
    local t = {}
    t.big_number = line
    return t, behind
  end,
  ["="] = function(s, line, behind)
    local stop = behind + tonumber(line)
    local t, outer = {}, {}
    t.string, t.format = sub(s, behind + 4, stop - 1), sub(s, behind, behind + 2)
    outer.verbatim_string = t
    return outer, stop + 2
  end,
  ["|"] = function(s, line, behind)
    for _ = 1, 2 * tonumber(line) do
      _, behind = parse(s, behind)
    end
    return parse(s, behind)
  end,
}

-- The value of the reply in s at position, and the position behind it.
function parse(s, position)
  local stop = find(s, "\r\n", position, true)
  return PARSERS[sub(s, position, position)](s, sub(s, position + 1, stop - 1), stop + 2)
end

-- The value of the whole reply s. Strings first: they are most of what is read.
function reply.parse(s)
  if byte(s) == 36 then
    local stop = find(s, "\r\n", 2, true)
    if byte(s, 2) == 45 then
      return false
    end
    return sub(s, stop + 2, -3)
  end
  return (parse(s, 1))
end

-- ---- Lua to RESP ------------------------------------------------------------------------------------------

local function bulk(s)
  return "$" .. #s .. "\r\n" .. s .. "\r\n"
end

-- s as C sees it, up to its first zero, in one line.
local function one_line(s)
  return (gsub(match(s, "^[^%z]*"), "[\r\n]", " "))
end

local function double_text(number)
  return format("%.17g", number)
end

-- One reply being written: to, the client's protocol version; from, the script's.
local put

local function put_pairs(out, t, with_values)
  local place, count = out.count + 1, 0
  out.count = place
  for key, value in next, t do
    put(out, key)
    if with_values then
      put(out, value)
    end
    count = count + 1
  end
  local mark = out.to == 2 and "*" or with_values and "%" or "~"
  out[place] = mark .. (mark == "*" and with_values and 2 * count or count) .. "\r\n"
end

local function put_array(out, t)
  local place, index = out.count + 1, 1
  out.count = place
  local value = rawget(t, 1)
  while value ~= nil do
    put(out, value)
    index = index + 1
    value = rawget(t, index)
  end
  out[place] = "*" .. index - 1 .. "\r\n"
end

local function verbatim_text(out, t)
  local kind, s = rawget(t, "format"), rawget(t, "string")
  if type(kind) ~= "string" or type(s) ~= "string" then
    return nil
  elseif out.to == 2 then
    return bulk(s)
  end
  return "=" .. #s + 4 .. "\r\n" .. sub(match(kind, "^[^%z]*") .. "   ", 1, 3) .. ":" .. s .. "\r\n"
end

-- The text of a table that stands for something other than an array, map or set; nil if it does not.
local function special_text(out, t)
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
    return out.to == 2 and bulk(double_text(value)) or "," .. double_text(value) .. "\r\n"
  end
  value = rawget(t, "big_number")
  if type(value) == "string" then
    value = gsub(value, "[\r\n]", " ")
    return out.to == 2 and bulk(value) or "(" .. value .. "\r\n"
  end
  value = rawget(t, "verbatim_string")
  return type(value) == "table" and verbatim_text(out, value) or nil
end

local function put_table(out, t)
  local text = special_text(out, t)
  if text then
    out.count = out.count + 1
    out[out.count] = text
  elseif type(rawget(t, "map")) == "table" then
    put_pairs(out, rawget(t, "map"), true)
  elseif type(rawget(t, "set")) == "table" then
    put_pairs(out, rawget(t, "set"), false)
  else
    put_array(out, t)
  end
end

local function boolean_text(out, value)
  if out.from == 3 then
    return out.to == 3 and (value and "#t\r\n" or "#f\r\n") or (value and ":1\r\n" or ":0\r\n")
  elseif value then
    return ":1\r\n"
  end
  return out.null
end

function put(out, value)
  local kind = type(value)
  local text
  if kind == "string" then
    text = bulk(value)
  elseif kind == "number" then
    text = format(":%d\r\n", value)
  elseif kind == "boolean" then
    text = boolean_text(out, value)
  elseif kind ~= "table" then
    text = out.null
  elseif out.depth < NESTING_MAX then
    out.depth = out.depth + 1
    put_table(out, value)
    out.depth = out.depth - 1
    return
  else
    text = "-ERR reached lua stack limit\r\n"
  end
  out.count = out.count + 1
  out[out.count] = text
end

-- value as a reply to a client of protocol version to, from a script that has set version from. Of a long string
-- only the string, and true: the host copies it anyway, and here each copy takes memory until it is collected.
function reply.format(value, to, from)
  local kind = type(value)
  if kind == "string" then
    if #value >= LONG then
      return value, true
    end
    return "$" .. #value .. "\r\n" .. value .. "\r\n"
  elseif kind == "number" then
    return format(":%d\r\n", value)
  end
  local out = { count = 0, depth = 0, to = to, from = from, null = to == 2 and "$-1\r\n" or "_\r\n" }
  put(out, value)
  return concat(out, "", 1, out.count)
end

-- The line of an error that ends a script.
function reply.error_line(text)
  return "-" .. one_line(text) .. "\r\n"
end

reply.one_line = one_line
return reply
