-- sandbox.lua: the globals that scripts see.
--
-- Stock Lua has no read-only tables. What Redis locks is here an empty proxy in front of the real table:
-- reading goes through to it, writing raises; the few functions that would look past a proxy (rawget, rawset,
-- pairs, getmetatable, setmetatable, table.insert) know it. The real globals are never handed to a script,
-- nor are debug, package, os, io and whatever the host put beside them.
--
-- api: the table redis for a running script; loading: the one for a library that is being loaded.

local kit, port, guard, api, loading, libraries = ...
local select, type, next, error = select, type, next, error
local raw_insert, raw_load, raw_dump, raw_getmetatable = table.insert, loadstring, string.dump, getmetatable
local setmetatable, setfenv, rawget, rawset = setmetatable, setfenv, rawget, rawset
local byte, concat, collectgarbage = string.byte, table.concat, collectgarbage
local argument_error, type_error = kit.argument_error, kit.type_error

local next_of_pairs = pairs({}) -- Not the same function as next.
local READONLY = "Attempt to modify a readonly table"

-- ---- read-only tables -------------------------------------------------------------------------------------

-- From a proxy to the table behind it, and to the metatable that getmetatable shows.
local behind, shown = {}, {}

local function refuse()
  return error(READONLY, 2)
end

local function protect(t, metatable)
  local proxy = setmetatable({}, { __index = t, __newindex = refuse })
  behind[proxy], shown[proxy] = t, metatable
  return proxy
end

local function missing(_, name)
  if type(name) ~= "string" and type(name) ~= "number" then
    return kit.fail("Second argument to luaProtectedTableError must be a string or number")
  end
  return kit.fail("Script attempted to access nonexistent global variable '" .. name .. "'")
end

-- A proxy for t whose absent fields raise.
local function protect_strictly(t)
  local metatable = { __index = missing }
  return protect(setmetatable(t, metatable), protect(metatable))
end

-- ---- functions that look past a proxy ---------------------------------------------------------------------

local globals = {}
local string_metatable

function globals.rawset(...)
  local t, key, value = ...
  local given = select("#", ...)
  if type(t) ~= "table" then
    return type_error(1, "table", t, given)
  elseif given < 3 then
    return argument_error(given + 1, "value expected")
  elseif behind[t] then
    return error(READONLY, 0)
  elseif key == nil or key ~= key then
    return error("table index is " .. (key == nil and "nil" or "NaN"), 0)
  end
  return rawset(t, key, value)
end

function globals.rawget(...)
  local t, key = ...
  local given = select("#", ...)
  if type(t) ~= "table" then
    return type_error(1, "table", t, given)
  elseif given < 2 then
    return argument_error(2, "value expected")
  end
  return rawget(behind[t] or t, key)
end

function globals.pairs(...)
  local t = ...
  if type(t) ~= "table" then
    return type_error(1, "table", t, select("#", ...))
  elseif behind[t] then
    local copy = {} -- The real one must not leave here.
    for key, value in next, behind[t] do
      copy[key] = value
    end
    t = copy
  end
  return next_of_pairs, t, nil
end

function globals.getmetatable(...)
  local value = ...
  if select("#", ...) == 0 then
    return argument_error(1, "value expected")
  elseif type(value) == "string" then
    return string_metatable
  elseif behind[value] then
    return shown[value]
  elseif value == kit.null then
    return nil
  end
  return raw_getmetatable(value)
end

function globals.setmetatable(...)
  local t, metatable = ...
  local given = select("#", ...)
  if type(t) ~= "table" then
    return type_error(1, "table", t, given)
  elseif given < 2 or metatable ~= nil and type(metatable) ~= "table" then
    return argument_error(2, "nil or table expected")
  elseif behind[t] then
    return error(READONLY, 0)
  end
  local current = raw_getmetatable(t)
  if current ~= nil and (type(current) ~= "table" or rawget(current, "__metatable") ~= nil) then
    return kit.fail("cannot change a protected metatable")
  end
  return setmetatable(t, metatable)
end

local function insert(...)
  local t, first, second = ...
  local given = select("#", ...)
  if type(t) ~= "table" then
    return type_error(1, "table", t, given)
  elseif given < 2 or given > 3 then
    return kit.fail("wrong number of arguments to 'insert'")
  end
  local position = given == 3 and kit.check_number(2, first, given)
  if behind[t] then
    return error(READONLY, 0)
  elseif position then
    return raw_insert(t, position, second)
  end
  return raw_insert(t, first)
end

-- ---- functions of code ------------------------------------------------------------------------------------

local environment

-- source as a function with the scripts' globals; or nil and what is wrong. Tail calls of what may be ours
-- become plain calls, so that errors find their line (see tailcalls.py). Compiled code is no source: Lua
-- would trust it.
local function compile(source, name)
  if byte(source) == 27 then
    source = " " .. source
  end
  local f, wrong = raw_load(source, name)
  if not f then
    return nil, wrong
  end
  local dumped = raw_dump(f)
  kit.make_room(#dumped / 1024)
  local patched = port.patch(dumped)
  return setfenv(patched and raw_load(patched) or f, environment)
end

function globals.loadstring(...)
  local source, name = ...
  local given = select("#", ...)
  source = kit.check_string(1, source, given)
  return compile(source, name == nil and source or kit.check_string(2, name, given))
end

function globals.load(...)
  local read, name = ...
  local given = select("#", ...)
  if type(read) ~= "function" then
    return type_error(1, "function", read, given)
  end
  local parts = {}
  local ok, part = guard.pcall(read)
  while ok and part ~= nil and part ~= "" do
    if type(part) ~= "string" and type(part) ~= "number" then
      return nil, "reader function must return a string"
    end
    parts[#parts + 1] = part
    ok, part = guard.pcall(read)
  end
  if not ok then
    return nil, part
  end
  return compile(concat(parts), name == nil and "=(load)" or kit.check_string(2, name, given))
end

local function dump(...)
  local f = ...
  if type(f) ~= "function" then
    return type_error(1, "function", f, select("#", ...))
  elseif kit.is_ours(f) then
    return kit.fail("unable to dump given function")
  end
  return raw_dump(f)
end

-- Scripts may ask for a collection, not turn it off: these only look as if they worked.
local GARBAGE = { stop = 0, restart = 0, setpause = 200, setstepmul = 200 }
local SETTINGS = { setpause = true, setstepmul = true }

function globals.collectgarbage(...)
  local given = select("#", ...)
  local option, argument = ...
  option = option == nil and "collect" or kit.check_string(1, option, given)
  argument = kit.optional_integer(2, argument, 0, given)
  if option == "collect" or option == "step" then
    guard.tick()
    return collectgarbage(option, option == "step" and argument or nil)
  elseif option == "count" then
    return collectgarbage(option)
  end
  local answer = GARBAGE[option] or argument_error(1, "invalid option '" .. option .. "'")
  if SETTINGS[option] then
    GARBAGE[option] = kit.to_int(argument)
  end
  return answer
end

-- ---- the tables -------------------------------------------------------------------------------------------

local PLAIN = {
  "_VERSION", "assert", "error", "gcinfo", "ipairs", "next", "rawequal", "select", "tonumber", "tostring",
  "type", "unpack",
}
for _, name in next, PLAIN do
  globals[name] = _G[name]
end

local function copy(t, changes)
  local result = {}
  for key, value in next, t do
    result[key] = value
  end
  for key, value in next, changes do
    result[key] = value
  end
  return result
end

local string_functions = copy(string, { dump = dump })
-- Methods of strings find the same functions.
string.dump = dump
libraries.string = string_functions
libraries.table = copy(table, { insert = insert })
libraries.coroutine = copy(coroutine, { create = guard.create, resume = guard.resume, wrap = guard.wrap })
libraries.math = copy(math, { random = libraries.random, randomseed = libraries.randomseed })
libraries.random, libraries.randomseed = nil, nil

globals.pcall, globals.xpcall = guard.pcall, guard.xpcall
for name, library in next, libraries do
  globals[name] = protect(library)
end
globals.redis = protect(api)
string_metatable = protect({ __index = globals.string })

environment = protect_strictly(globals)
globals._G = environment
local running = raw_getmetatable(environment)
local at_load = { __index = { redis = protect_strictly(loading) } }
setmetatable(at_load.__index, { __index = missing })

-- While a library is loaded, its globals are other ones.
local function set_loading(is_loading)
  running.__index = is_loading and at_load.__index or globals
end

return globals, compile, set_loading
