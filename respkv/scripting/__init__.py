"""EVAL and FCALL: Lua scripts in a sandbox, as in Redis 7.0.

Pure: no clock, socket, disk or chance of its own; what a script asks of the server goes through a
``ScriptHost``.

    engine.py       Scripting: the commands                  host.py        what the server gives, limits,
    flags scripts.py      EVAL, SCRIPT and the script cache        functions.py   FCALL, FUNCTION and the
    libraries runner.py       the run in progress: checks, kill        interpreter.py a Lua state and the
    crossing into it shebang.py      first lines      payload.py  FUNCTION DUMP      tailcalls.py  errors keep
    their lines lua/            what scripts see: boot.lua puts it together
"""

from .engine import Scripting
from .functions import FunctionError
from .host import CommandFacts, GlobMatch, ScriptFlag, ScriptHost, ScriptLimits

__all__ = [
    "CommandFacts",
    "FunctionError",
    "GlobMatch",
    "ScriptFlag",
    "ScriptHost",
    "ScriptLimits",
    "Scripting",
]
