-- guard.lua: how a running script is stopped, and the functions that could keep it from being stopped.
--
-- A count hook on every thread asks the host now and then whether to go on. Once it says no, `killed` is set,
-- and every function that catches errors raises it again: no script outlives it. Threads are made here,
-- because a new one has no hook, and counted, because each has a count of its own.
--
-- The answer is a number: 0 to go on, or which of the ends below. Neither that nor raising the end needs
-- memory, of which there may be none. state.is_resting: no script runs, or it has returned and its reply is
-- being written, which nothing could catch.
--
-- bare: functions compiled with their tail calls left in, so that what they call has no frame of ours below
-- it.

local kit, port, state, bare = ...
local select, type, error = select, type, error
local raw_pcall, raw_xpcall, raw_resume = pcall, xpcall, coroutine.resume
local raw_create, raw_wrap, sethook = coroutine.create, coroutine.wrap, debug.sethook
local port_tick = port.tick

local function ending(text)
  return { err = text, source = false, line = false }
end

local ENDS = {
  ending("ERR Script killed by user with SCRIPT KILL..."),
  ending("ERR The script was stopped by a failure of the server"),
  ending("ERR The script was stopped because it ran too many instructions"),
  ending("ERR FUNCTION LOAD timeout"),
}
local FAILURE = 2
local HOOK_INSTRUCTIONS = 10000
local THREADS_PER_TICK = 16

local guard = {}
local killed
local threads_made = 0

-- End the script, whatever it catches.
local function stop(reason)
  killed = killed or ENDS[reason]
  return error(killed, 0)
end

-- End the script because the host has failed.
function kit.stop()
  return stop(FAILURE)
end

local function tick()
  if state.is_resting then
    return
  elseif killed then
    return error(killed, 0)
  end
  local reason = port_tick()
  if reason ~= 0 then
    return stop(reason)
  end
end

-- To be called where few instructions may take long.
guard.tick = tick

-- Forget the last script's end.
function guard.reset()
  killed.source, killed.line = false, false
  killed = nil
end

-- The error that ends the script now, or nil.
function guard.killed()
  return killed
end

-- Hook the thread that runs.
function guard.arm()
  sethook(tick, "", HOOK_INSTRUCTIONS)
end

-- The error e as a script that has caught it may see it.
local function caught(e)
  if killed then
    return error(killed, 0)
  end
  return e
end

local function finish_pcall(ok, ...)
  if ok then
    return true, ...
  end
  local e = caught((...))
  local text = type(e) == "table" and e.err
  if type(text) == "string" or type(text) == "number" then
    e = text
  end
  return false, e
end

-- Redis's own: an error table is caught as its text.
function guard.pcall(...)
  if select("#", ...) == 0 then
    return kit.argument_error(1, "value expected")
  end
  return finish_pcall(raw_pcall(...))
end

local function finish(ok, ...)
  if ok then
    return true, ...
  end
  return false, caught((...))
end

function guard.xpcall(...)
  local f, handler = ...
  if select("#", ...) < 2 then
    return kit.argument_error(2, "value expected")
  end
  return finish(raw_xpcall(f, function(e)
    if killed then
      return killed
    end
    return handler(e)
  end))
end

local function check_function(f)
  if type(f) ~= "function" then
    return kit.argument_error(1, "Lua function expected")
  end
  threads_made = threads_made + 1
  if threads_made % THREADS_PER_TICK == 0 then
    tick()
  end
end

function guard.create(f)
  check_function(f)
  local thread = raw_create(f)
  sethook(thread, tick, "", HOOK_INSTRUCTIONS)
  return thread
end

function guard.wrap(f)
  check_function(f)
  return raw_wrap(bare.start(f, guard.arm))
end

function guard.resume(...)
  if type((...)) ~= "thread" then
    return kit.argument_error(1, "coroutine expected")
  end
  return finish(raw_resume(...))
end

return guard
