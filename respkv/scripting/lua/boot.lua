-- boot.lua: puts the runtime together. compile(name) gives the chunk of a runtime file; engine is "script" or
-- "function"; port is a table of the host's functions. Returns the functions of run.lua.

local compile, engine, port, memory_kb = ...

-- From here on nothing in this state may go round the proxies or reach the host.
python, package.loaded.python = nil, nil

local state = { resp = 2, has_globals = engine == "script", is_resting = true }
local kit = compile("kit")(memory_kb)
local bare = compile("bare")()
local guard = compile("guard")(kit, port, state, bare)
local pack = compile("pack")(kit)
kit.band = port.band
local random, randomseed = compile("random")(kit)
local new_cjson = compile("cjson")(kit, compile("json_encode")(kit), compile("json_decode")(kit))
local libraries = {
  bit = compile("bit")(kit, port.band, port.bor, port.bxor),
  struct = compile("struct")(kit, pack),
  cmsgpack = compile("cmsgpack")(kit, pack),
  cjson = new_cjson(),
  random = random,
  randomseed = randomseed,
}
local reply = compile("reply")()
local api, loading = compile("api")(kit, reply, port, state)
local globals, load_script, set_loading = compile("sandbox")(kit, port, guard, api, loading, libraries)
local run = compile("run")(kit, reply, guard, state, globals, load_script, set_loading, bare)
guard.arm()
-- Without it a failed call costs the host no traceback, which would be made on every one.
debug = nil
return run
