-- api.lua: the table `redis` that scripts see.
--
-- port: the host's functions (see interpreter.py). They take and return strings and numbers only, and never
-- raise.
-- state: resp, the protocol version that the running script has asked for; is_loading, whether a library is
-- being loaded; has_globals, whether scripts or functions run here.
--
-- A command's error is a table {err=...}; call raises it, pcall returns it.

local kit, reply, port, state = ...
local select, type, next, tonumber, tostring = select, type, next, tonumber, tostring
local error, unpack = error, unpack
local byte, find, format, concat = string.byte, string.find, string.format, table.concat
local error_table, parse, make_room = reply.error_table, reply.parse, kit.make_room
local port_call, port_log, port_may, port_sha1 = port.call, port.log, port.may, port.sha1
local STRINGS_ONLY = "Lua redis lib command arguments must be strings or integers"
local TOO_FEW = "Please specify at least one argument for this redis lib call"

local api = {}

local function raise(text)
  return error(error_table(text), 0)
end

-- The arguments of a command as strings, in a list; or nil and what is wrong with them.
local function strings(...)
  local count = select("#", ...)
  local list = { ... }
  if count == 0 then
    return nil, error_table(TOO_FEW)
  end
  for index = 1, count do
    local kind = type(list[index])
    if kind == "number" then
      list[index] = format("%.17g", list[index])
    elseif kind ~= "string" then
      return nil, error_table(STRINGS_ONLY)
    end
  end
  return list, count
end

-- Run a command: its raw reply, or nil and the error that its arguments are. The host refuses what is not all
-- strings, which is rare, with nil; an empty answer says that it has failed and the script has to end.
local function run(...)
  make_room()
  local text = port_call(state.resp, ...)
  if not text then
    local list, count = strings(...)
    if not list then
      return nil, count
    end
    text = port_call(state.resp, unpack(list, 1, count))
  end
  if text == "" then
    return kit.stop()
  end
  return text
end

function api.call(...)
  local text, wrong = run(...)
  if not text then
    return error(wrong, 0)
  end
  local first = byte(text)
  if first == 45 then
    return error(parse(text), 0)
  end
  return parse(text)
end

function api.pcall(...)
  local text, wrong = run(...)
  if not text then
    return wrong
  end
  return parse(text)
end

function api.acl_check_cmd(...)
  local list, wrong = strings(...)
  if not list then
    return error(wrong, 0)
  end
  make_room()
  local answer = port_may(unpack(list, 1, wrong))
  if answer == nil then
    return raise("Invalid command passed to redis.acl_check_cmd()")
  end
  return answer
end

local function single_field(field)
  return function(...)
    local s = ...
    if select("#", ...) ~= 1 or type(s) ~= "string" then
      return error_table("wrong number or type of arguments")
    elseif field == "err" then
      return error_table(byte(s) == 45 and s or "-" .. s)
    end
    local t = {}
    t.ok = s
    return t
  end
end

api.error_reply = single_field("err")
api.status_reply = single_field("ok")

function api.sha1hex(...)
  local s = ...
  if select("#", ...) ~= 1 then
    return raise("wrong number of arguments")
  end
  make_room()
  return port_sha1(type(s) == "string" and s or type(s) == "number" and tostring(s) or "")
end

function api.log(...)
  local count = select("#", ...)
  local list = { ... }
  if count < 2 then
    return raise("redis.log() requires two arguments or more.")
  end
  local level = tonumber(list[1])
  if not level then
    return raise("First argument must be a number (log level).")
  end
  level = kit.to_int(level)
  if level < 0 or level > 3 then
    return raise("Invalid debug level.")
  end
  local parts = {}
  for index = 2, count do
    if type(list[index]) == "string" or type(list[index]) == "number" then
      parts[#parts + 1] = tostring(list[index])
    end
  end
  make_room()
  port_log(level, concat(parts, " "))
end

function api.setresp(...)
  if select("#", ...) ~= 1 then
    return raise("redis.setresp() requires one argument.")
  end
  local version = kit.to_int(tonumber((...)) or 0)
  if version ~= 2 and version ~= 3 then
    return raise("RESP version must be 2 or 3.")
  end
  state.resp = version
end

-- Effects are replicated as one batch, so this only checks its argument.
function api.set_repl(...)
  if select("#", ...) ~= 1 then
    return raise("redis.set_repl() requires two arguments.")
  end
  local flags = kit.to_int(tonumber((...)) or 0)
  if flags < 0 or flags > 3 then
    return raise("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
  end
end

-- What only scripts have, not functions: remains of replication and of the debugger.
if state.has_globals then
  function api.replicate_commands()
    return true
  end

  function api.breakpoint()
    return false
  end

  function api.debug() end
end

api.LOG_DEBUG, api.LOG_VERBOSE, api.LOG_NOTICE, api.LOG_WARNING = 0, 1, 2, 3
api.REPL_NONE, api.REPL_AOF, api.REPL_SLAVE, api.REPL_REPLICA, api.REPL_ALL = 0, 1, 2, 2, 3
api.REDIS_VERSION, api.REDIS_VERSION_NUM = port.version, port.version_number

-- ---- what a library may use while it is loaded ------------------------------------------------------------

local loading = { log = api.log }
for name, value in pairs(api) do
  if find(name, "^LOG_") or find(name, "^REDIS_") then
    loading[name] = value
  end
end

-- The names in a list of flags, joined by commas; nil if one of them is not a string.
local function flag_names(t)
  local names, index = {}, 1
  while t[index] ~= nil do
    if type(t[index]) ~= "string" and type(t[index]) ~= "number" then
      return nil
    end
    names[index] = tostring(t[index])
    index = index + 1
  end
  return concat(names, ",")
end

local FIELDS = {}
local function text_field(field, name)
  return function(into, value)
    if type(value) ~= "string" and type(value) ~= "number" then
      return field .. " argument given to redis.register_function must be a string"
    end
    into[name] = tostring(value)
  end
end
FIELDS.function_name = text_field("function_name", "name")
FIELDS.description = text_field("description", "description")
function FIELDS.callback(into, value)
  into.callback = value
  if type(value) ~= "function" then
    return "callback argument given to redis.register_function must be a function"
  end
end
function FIELDS.flags(into, value)
  if type(value) ~= "table" then
    return "flags argument to redis.register_function must be a table representing function flags"
  end
  into.flags = flag_names(value)
  return not into.flags and "unknown flag given" or nil
end

local function named(t)
  local into = { flags = "" }
  if type(t) ~= "table" then
    return raise(
      "calling redis.register_function with a single argument is only applicable to Lua table "
        .. "(representing named arguments)."
    )
  end
  for key, value in next, t do
    if type(key) ~= "string" and type(key) ~= "number" then
      return raise("named argument key given to redis.register_function is not a string")
    end
    local field = FIELDS[string.lower(key)]
    if not field then
      return raise("unknown argument given to redis.register_function")
    end
    local wrong = field(into, value)
    if wrong then
      return raise(wrong)
    end
  end
  if not into.name then
    return raise("redis.register_function must get a function name argument")
  elseif not into.callback then
    return raise("redis.register_function must get a callback argument")
  end
  return into
end

function loading.register_function(...)
  local count = select("#", ...)
  local name, callback = ...
  local into
  if not state.is_loading then
    return raise("redis.register_function can only be called on FUNCTION LOAD command")
  elseif count < 1 or count > 2 then
    return raise("wrong number of arguments to redis.register_function")
  elseif count == 1 then
    into = named(name)
  elseif type(name) ~= "string" and type(name) ~= "number" then
    return raise("first argument to redis.register_function must be a string")
  elseif type(callback) ~= "function" then
    return raise("second argument to redis.register_function must be a function")
  else
    into = { name = tostring(name), callback = callback, flags = "" }
  end
  make_room()
  local id = state.keep(into.callback, into.name)
  local wrong = port.register(id, into.name, into.flags, into.description)
  if wrong then
    state.drop(id)
    return raise(wrong)
  end
end

return api, loading
