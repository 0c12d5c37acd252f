-- run.lua: scripts by number, their running, and what is made of their end.
--
-- script and call return a reply in RESP, or a long string and true (see reply.lua). Functions and scripts
-- are kept by small numbers, because a number is what crosses from the host cheapest.

local kit, reply, guard, state, globals, compile, set_loading, bare = ...
local type, tostring, select = type, tostring, select
local raw_pcall, raw_xpcall = pcall, xpcall
local origin, killed, reset = kit.origin, guard.killed, guard.reset

local kept, names, last = {}, {}, 0
local enter, set_entry = bare.entry()
local has_globals = state.has_globals

-- Keep a function; name is what errors call it by.
local function keep(f, name)
  last = last + 1
  kept[last], names[last] = f, name
  return last
end

local function drop(id)
  kept[id], names[id] = nil, nil
end

state.keep, state.drop = keep, drop

-- The handler of errors that leave a script: puts the place to them. Scripts can see it, as in Redis.
local function on_error(e)
  e = killed() or e
  if type(e) ~= "table" then
    local t = {}
    t.err = "ERR " .. tostring(e)
    e = t
  end
  local source, line = origin()
  if source then
    e.source, e.line = source, line
  end
  return e
end

local function error_text(text)
  return (type(text) == "string" or type(text) == "number") and tostring(text) or "ERR unknown error"
end

-- The reply for a script that ended with e.
local function failure(id, e)
  if type(e) ~= "table" then
    e = type(e) == "string" and e or "execution failure"
    return reply.error_line("ERR Error running script " .. names[id] .. ", " .. e:sub(1, 100))
  end
  local text, source, line = e.err, e.source, e.line
  text = error_text(text):match("^[^%z]*")
  if (type(source) == "string" or type(source) == "number") and line ~= nil then
    text = text .. " script: " .. names[id] .. ", on " .. source .. ":" .. tostring(line) .. "."
  end
  return reply.error_line(text)
end

-- The reply for a script that has returned result (ok), or raised it.
local function finish(id, client_resp, ok, result)
  state.is_resting = true
  kit.ease()
  if killed() then
    local text = failure(id, killed())
    reset()
    return text
  elseif ok then
    return reply.format(result, client_resp, state.resp)
  end
  return failure(id, result)
end

local run = {}

-- A list that the host fills in pieces, since a call takes no more than some thousand arguments.
local filled

-- Begin (with no arguments) or go on filling the list.
function run.fill(...)
  local count = select("#", ...)
  if count == 0 then
    filled = {}
    return
  end
  local size = #filled
  for index = 1, count do
    filled[size + index] = (select(index, ...))
  end
end

local function split(key_count, list, count)
  local keys, arguments = {}, {}
  for index = 1, key_count do
    keys[index] = list[index]
  end
  for index = key_count + 1, count do
    arguments[index - key_count] = list[index]
  end
  return keys, arguments
end

local function take_filled(key_count)
  local list = filled
  filled = nil
  return split(key_count, list, #list)
end

local function one_key(key, ...)
  return { key }, { ... }
end

-- The two lists. A negative count, -1 for no keys, says that they have been filled in.
local function keys_and_arguments(key_count, ...)
  if key_count < 0 then
    return take_filled(-1 - key_count)
  elseif key_count == 0 then
    return {}, { ... }
  elseif key_count == 1 then
    return one_key(...)
  end
  return split(key_count, { ... }, select("#", ...))
end

-- Run script id for a client of protocol version client_resp.
function run.script(id, client_resp, key_count, ...)
  globals.KEYS, globals.ARGV = keys_and_arguments(key_count, ...)
  state.resp, state.is_resting = 2, false
  local ok, result = raw_xpcall(kept[id], on_error)
  if key_count < 0 then
    globals.KEYS, globals.ARGV = {}, {} -- They may be large.
  end
  return finish(id, client_resp, ok, result)
end

-- Call function id of a library.
function run.call(id, client_resp, key_count, ...)
  set_entry(kept[id], keys_and_arguments(key_count, ...))
  state.resp, state.is_resting = 2, false
  local ok, result = raw_xpcall(enter, on_error)
  set_entry()
  return finish(id, client_resp, ok, result)
end

-- Compile a script and keep it under name: its number, or nil and what is wrong.
function run.add(source, name)
  local f, wrong = compile(source, "@user_script")
  if not f then
    return nil, wrong
  end
  return keep(f, name)
end

-- Compile a library and run it once, so that it registers its functions: nil, or what went wrong.
function run.load(source)
  local f, wrong = compile(source, "@user_function")
  if not f then
    return "Error compiling function: " .. wrong
  end
  state.is_loading, state.is_resting = true, false
  set_loading(true)
  local ok, e = raw_pcall(f)
  set_loading(false)
  state.is_loading, state.is_resting = false, true
  if killed() then
    e = killed().err
    reset()
  elseif ok then
    return nil
  else
    e = type(e) == "table" and error_text(e.err) or "ERR " .. tostring(e)
  end
  return "Error registering functions: " .. e
end

run.drop = drop
if has_globals then
  globals.KEYS, globals.ARGV = {}, {}
  globals.__redis__err__handler = on_error
end

return run
