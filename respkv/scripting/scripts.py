"""EVAL, EVALSHA, their _RO forms and SCRIPT: scripts by the SHA1 of their text.

A script is compiled once and kept by its SHA1 and, since EVAL sends the text, by the text: finding it by that
costs a hash of the text, less than its SHA1. The cache is bounded in number and bytes; when it is full, the
oldest go that have not run since their turn came last, those that came by EVAL before those that came by
SCRIPT LOAD, after which clients trust in EVALSHA. All of them go with SCRIPT FLUSH, which also begins a new
Lua state, as in Redis.
"""

import re
from collections.abc import Sequence
from hashlib import sha1

from . import resp
from .host import ScriptFlag, ScriptHost, ScriptLimits
from .interpreter import Interpreter, InterpreterError, OutOfMemoryError
from .runner import Runner
from .shebang import ShebangError, read_script_head

NO_SCRIPT = resp.error(b"-NOSCRIPT No matching script. Please use EVAL.")
OUT_OF_MEMORY = b"-OOM The memory of scripts is full"
NOT_AN_INTEGER = b"value is not an integer or out of range"

_HELP = (
    b"DEBUG (YES|SYNC|NO)",
    b"    Set the debug mode for subsequent scripts executed.",
    b"EXISTS <sha1> [<sha1> ...]",
    b"    Return information about the existence of the scripts in the script cache.",
    b"FLUSH [ASYNC|SYNC]",
    b"    Flush the Lua scripts cache. Very dangerous on replicas.",
    b"    When called without the optional mode argument, the behavior is determined by the",
    b"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    b"    * ASYNC: Asynchronously flush the scripts cache.",
    b"    * SYNC: Synchronously flush the scripts cache.",
    b"KILL",
    b"    Kill the currently executing Lua script.",
    b"LOAD <script>",
    b"    Load a script into the scripts cache without executing it.",
)
_COUNTS = {b"%d" % count: count for count in range(256)}
_INTEGER = re.compile(rb"-?[1-9][0-9]{0,18}|0")


def key_count(argv: Sequence[bytes], not_an_integer: bytes) -> int | bytes:
    """Read how many of the arguments from the fourth on are keys; an error reply if that cannot be."""
    count = _COUNTS.get(argv[2])
    if count is None:
        if _INTEGER.fullmatch(argv[2]) is None or not -(1 << 63) <= int(argv[2]) < 1 << 63:
            return resp.error(not_an_integer)
        count = int(argv[2])
    if count > len(argv) - 3:
        return resp.error(b"Number of keys can't be greater than number of args")
    if count < 0:
        return resp.error(b"Number of keys can't be negative")
    return count


class Script:
    """A compiled script in the cache."""

    __slots__ = ("flags", "is_used", "number", "sha", "text")

    def __init__(self, text: bytes, sha: bytes, flags: ScriptFlag, number: int) -> None:
        self.text = text
        self.sha = sha
        self.flags = flags
        self.number = number
        self.is_used = False


class Scripts:
    """The cache, and the commands on it.

    Args:
        runner: runs scripts.
        limits: of the cache and of the Lua state.
    """

    def __init__(self, runner: Runner, limits: ScriptLimits) -> None:
        self._runner = runner
        self._limits = limits
        self._by_sha: dict[bytes, Script] = {}
        self._by_text: dict[bytes, Script] = {}
        # The rows in which scripts wait for their turn to be forgotten.
        self._evaluated: dict[bytes, Script] = {}
        self._loaded: dict[bytes, Script] = {}
        self._bytes = 0
        self._interpreter = Interpreter(runner, "script", limits.memory_bytes)

    # ---- running ------------------------------------------------------------------------------------------

    def eval(
        self, host: ScriptHost, argv: Sequence[bytes], protocol: int, is_read_only: bool = False
    ) -> bytes:
        """EVAL script numkeys [key ...] [arg ...]."""
        count = key_count(argv, NOT_AN_INTEGER)
        if isinstance(count, bytes):
            return count
        script = self._by_text.get(argv[1])
        if script is None:
            added = self._add(argv[1], is_loaded=False)
            if isinstance(added, bytes):
                return added
            script = added
        return self._run(host, script, argv, count, protocol, is_read_only)

    def evalsha(
        self, host: ScriptHost, argv: Sequence[bytes], protocol: int, is_read_only: bool = False
    ) -> bytes:
        """EVALSHA sha1 numkeys [key ...] [arg ...]."""
        if len(argv[1]) != 40:
            return NO_SCRIPT
        count = key_count(argv, NOT_AN_INTEGER)
        if isinstance(count, bytes):
            return count
        script = self._by_sha.get(argv[1]) or self._by_sha.get(argv[1].lower())
        if script is None:
            return NO_SCRIPT
        return self._run(host, script, argv, count, protocol, is_read_only)

    def _run(
        self,
        host: ScriptHost,
        script: Script,
        argv: Sequence[bytes],
        count: int,
        protocol: int,
        is_read_only: bool,
    ) -> bytes:
        runner, interpreter = self._runner, self._interpreter
        script.is_used = True
        refused = runner.begin(
            host, script.sha, script.flags, argv, True, is_read_only, interpreter.make_room
        )
        if refused is not None:
            return refused
        try:
            reply = interpreter.script(script.number, protocol, count, argv[3:])
        except OutOfMemoryError:
            reply = resp.error(OUT_OF_MEMORY)
        except InterpreterError as error:
            reply = self._runner.broken(error)
        finally:
            runner.end()
        return reply

    def flags(self, argv: Sequence[bytes]) -> ScriptFlag | None:
        """What the script that this EVAL or EVALSHA would run has declared; None if that cannot be told."""
        by_sha = argv[0][:7].lower() == b"evalsha"
        script = self._by_sha.get(argv[1].lower()) if by_sha else self._by_text.get(argv[1])
        if script is not None:
            return script.flags
        try:
            return None if by_sha else read_script_head(argv[1]).flags
        except ShebangError:
            return None

    # ---- the cache ----------------------------------------------------------------------------------------

    def _add(self, text: bytes, is_loaded: bool) -> Script | bytes:
        if self._runner.is_running:
            return self._runner.busy_error
        sha = sha1(text, usedforsecurity=False).hexdigest().encode()
        try:
            head = read_script_head(text)
            added = self._interpreter.add(head.code, sha)
        except ShebangError as wrong:
            return resp.error(wrong.text)
        except OutOfMemoryError:
            return resp.error(OUT_OF_MEMORY)
        except InterpreterError:
            return resp.error(b"Error compiling script (new function): internal error")
        if added.number is None:
            return resp.error(b"Error compiling script (new function): %s" % added.wrong)
        script = Script(text, sha, head.flags, added.number)
        self._by_sha[sha] = self._by_text[text] = script
        (self._loaded if is_loaded else self._evaluated)[sha] = script
        self._bytes += len(text)
        self._forget_some(script)
        return script

    def _forget_some(self, newest: Script) -> None:
        while len(self._by_sha) > self._limits.scripts or self._bytes > self._limits.script_bytes:
            row = self._evaluated or self._loaded
            script = next(iter(row.values()))
            del row[script.sha]
            if script is newest or script.is_used:
                # It goes to the end of the row, once.
                script.is_used = False
                row[script.sha] = script
                if len(self._by_sha) == 1:
                    return
                continue
            del self._by_sha[script.sha], self._by_text[script.text]
            self._bytes -= len(script.text)
            self._interpreter.drop(script.number)

    # ---- SCRIPT -------------------------------------------------------------------------------------------

    def script_load(self, text: bytes) -> bytes:
        """SCRIPT LOAD script."""
        script = self._by_text.get(text) or self._add(text, is_loaded=True)
        if isinstance(script, bytes):
            return script
        if self._evaluated.pop(script.sha, None) is not None:
            self._loaded[script.sha] = script
        return resp.bulk(script.sha)

    def script_exists(self, shas: Sequence[bytes]) -> bytes:
        """SCRIPT EXISTS sha1 [sha1 ...]."""
        return resp.array(resp.integer(sha.lower() in self._by_sha) for sha in shas)

    def script_flush(self, options: Sequence[bytes]) -> bytes:
        """SCRIPT FLUSH [ASYNC|SYNC]."""
        if len(options) > 1 or (options and options[0].lower() not in (b"sync", b"async")):
            return resp.error(b"SCRIPT FLUSH only support SYNC|ASYNC option")
        for known in (self._by_sha, self._by_text, self._evaluated, self._loaded):
            known.clear()
        self._bytes = 0
        self._interpreter = Interpreter(self._runner, "script", self._limits.memory_bytes)
        return resp.OK

    def script_debug(self, mode: bytes) -> bytes:
        """SCRIPT DEBUG YES|SYNC|NO: there is no debugger, so only NO can be granted."""
        if mode.lower() == b"no":
            return resp.OK
        if mode.lower() in (b"yes", b"sync"):
            return resp.error(b"Debugging of scripts is not supported")
        return resp.error(b"Use SCRIPT DEBUG YES/SYNC/NO")

    def script_help(self) -> bytes:
        """SCRIPT HELP."""
        return resp.help_lines(b"SCRIPT", _HELP)

    @property
    def count(self) -> int:
        """Scripts in the cache."""
        return len(self._by_sha)

    @property
    def memory_used(self) -> int:
        """Bytes that the Lua state takes."""
        return self._interpreter.memory_used
