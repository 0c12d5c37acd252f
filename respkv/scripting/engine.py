"""The scripting room's one door: commands in, replies out.

The server gives every EVAL, EVALSHA, EVAL_RO, EVALSHA_RO, FCALL, FCALL_RO, SCRIPT and FUNCTION command to
:meth:`Scripting.execute`, with a host (see host.py) for the connection. Whatever the script does in between
goes through that host.
"""

from collections.abc import Callable, Sequence

from . import resp
from .functions import Functions
from .host import GlobMatch, ScriptFlag, ScriptHost, ScriptLimits
from .runner import Runner
from .scripts import Scripts

_Handler = Callable[[ScriptHost, Sequence[bytes], int], bytes]
# Arity as in a command table, and what answers.
_Entry = tuple[int, _Handler]


class Scripting:
    """Scripts and functions of one node.

    Args:
        limits: what they may take.
        matches: glob match without regard to letter case.
    """

    def __init__(self, limits: ScriptLimits, matches: GlobMatch) -> None:
        self._runner = Runner(limits)
        self.scripts = Scripts(self._runner, limits)
        self.functions = Functions(self._runner, limits, matches)
        scripts, functions = self.scripts, self.functions
        self._commands: dict[bytes, _Entry] = {
            b"eval": (-3, scripts.eval),
            b"evalsha": (-3, scripts.evalsha),
            b"eval_ro": (-3, lambda host, argv, protocol: scripts.eval(host, argv, protocol, True)),
            b"evalsha_ro": (-3, lambda host, argv, protocol: scripts.evalsha(host, argv, protocol, True)),
            b"fcall": (-3, functions.fcall),
            b"fcall_ro": (-3, lambda host, argv, protocol: functions.fcall(host, argv, protocol, True)),
        }
        self._containers: dict[bytes, dict[bytes, _Entry]] = {
            b"script": {
                b"load": (3, lambda _host, argv, _protocol: scripts.script_load(argv[2])),
                b"exists": (-3, lambda _host, argv, _protocol: scripts.script_exists(argv[2:])),
                b"flush": (-2, lambda _host, argv, _protocol: scripts.script_flush(argv[2:])),
                b"kill": (2, lambda _host, _argv, _protocol: self.kill(True)),
                b"debug": (3, lambda _host, argv, _protocol: scripts.script_debug(argv[2])),
                b"help": (2, lambda _host, _argv, _protocol: scripts.script_help()),
            },
            b"function": {
                b"load": (-3, lambda host, argv, _protocol: functions.load(host, argv[2:])),
                b"delete": (3, lambda host, argv, _protocol: functions.delete(host, argv[2])),
                b"flush": (-2, self._function_flush),
                b"list": (-2, lambda _host, argv, protocol: functions.list(argv[2:], protocol)),
                b"dump": (2, lambda _host, _argv, _protocol: functions.dump()),
                b"restore": (-3, self._function_restore),
                b"stats": (2, lambda _host, _argv, protocol: functions.stats(protocol)),
                b"kill": (2, lambda _host, _argv, _protocol: self.kill(False)),
                b"help": (2, lambda _host, _argv, _protocol: functions.help()),
            },
        }

    def execute(self, host: ScriptHost, argv: Sequence[bytes], protocol: int) -> bytes:
        """Run one command.

        Args:
            host: the door to the server for the connection that sent it.
            argv: its name, in any letter case, and its arguments.
            protocol: 2 or 3, what the client speaks.

        Returns:
            The reply.

        Raises:
            BaseException: what the host raised; the script has been ended.
        """
        name = argv[0]
        entry = self._commands.get(name)
        if entry is None:
            name = name.lower()
            found = self._commands.get(name) or self._subcommand(name, argv)
            if isinstance(found, bytes):
                return found
            entry = found
            if name in self._containers:
                name = b"%s|%s" % (name, argv[1].lower())
        arity, handler = entry
        if len(argv) < abs(arity) or (arity > 0 and len(argv) > arity):
            return resp.error(b"wrong number of arguments for '%s' command" % name)
        return handler(host, argv, protocol)

    def _subcommand(self, name: bytes, argv: Sequence[bytes]) -> _Entry | bytes:
        if len(argv) < 2:
            return resp.error(b"wrong number of arguments for '%s' command" % name)
        entry = self._containers[name].get(argv[1].lower())
        if entry is None:
            return resp.error(b"unknown subcommand '%s'. Try %s HELP." % (argv[1][:128], name.upper()))
        if self._runner.is_running and argv[1].lower() not in (b"kill", b"stats"):
            return self._runner.busy_error
        return entry

    def _function_flush(self, host: ScriptHost, argv: Sequence[bytes], _protocol: int) -> bytes:
        if len(argv) > 3:
            return self._wrong_syntax(argv)
        return self.functions.flush(host, argv[2:])

    def _function_restore(self, host: ScriptHost, argv: Sequence[bytes], _protocol: int) -> bytes:
        if len(argv) > 4:
            return self._wrong_syntax(argv)
        return self.functions.restore(host, argv[2], argv[3:])

    def _wrong_syntax(self, argv: Sequence[bytes]) -> bytes:
        return resp.error(
            b"unknown subcommand or wrong number of arguments for '%s'. Try %s HELP."
            % (argv[1][:128], argv[0].upper())
        )

    def flags(self, argv: Sequence[bytes]) -> ScriptFlag | None:
        """Tell what the script or function that this command would run has declared.

        With it the server corrects the flags of the command itself before it runs it: a script with NO_WRITES
        is no write command, one without ALLOW_OOM and NO_WRITES is refused when memory is short.

        Returns:
            The flags, or None if nothing is known of it.
        """
        if len(argv) < 2:
            return None
        return self.functions.flags(argv) if argv[0][:5].lower() == b"fcall" else self.scripts.flags(argv)

    def kill(self, is_eval: bool) -> bytes:
        """Answer SCRIPT KILL (is_eval) or FUNCTION KILL; may be called from ``ScriptHost.while_busy``."""
        return self._runner.kill(is_eval)

    @property
    def is_busy(self) -> bool:
        """Whether a script has been running for longer than ``busy_after_ms``."""
        return self._runner.is_busy

    @property
    def busy_error(self) -> bytes:
        """The error reply for every other command while that is so."""
        return self._runner.busy_error
