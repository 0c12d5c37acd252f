-- bare.lua: entries into script code. They leave by a tail call, so that a script finds no frame of ours
-- below its own when it asks for an error to be raised two levels up. The only runtime file whose tail calls
-- are kept.

local bare = {}

-- A function that runs arm in the thread that calls it first, then is f.
function bare.start(f, arm)
  return function(...)
    arm()
    return f(...)
  end
end

-- A function without arguments that calls what set was given last; and set(f, keys, arguments).
function bare.entry()
  local f, keys, arguments
  local function enter()
    return f(keys, arguments)
  end
  local function set(...)
    f, keys, arguments = ...
  end
  return enter, set
end

return bare
