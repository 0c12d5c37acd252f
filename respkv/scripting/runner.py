"""The run of a script: what it may do, and how it is stopped. One at a time.

The checks before a command are Redis's, in Redis's order: known, arity, allowed in scripts, then what the
host says (ACL, stale data), read-only scripts, and before the first write what the host says of writes. After
that a script cannot be refused any more, nor be killed: it has begun to change things.
"""

from collections.abc import Callable, Sequence

from . import resp
from .host import ScriptFlag, ScriptHost, ScriptLimits
from .interpreter import Stop

HOOK_INSTRUCTIONS = 10_000
BUSY_POLL_NS = 1_000_000
# A larger reply is not put into Lua before it is certain that it fits.
REPLY_UNMEASURED_MAX = 1 << 18

NO_COMMAND = resp.error(b"Unknown Redis command called from script")
WRONG_ARITY = resp.error(b"Wrong number of args calling Redis command from script")
NOT_FROM_SCRIPT = resp.error(b"This Redis command is not allowed from script")
READ_ONLY = resp.error(b"Write commands are not allowed from read-only scripts.")
WRITE_FLAG = resp.error(b"Can not execute a script with write flag using *_ro command.")
REPLY_TOO_LARGE = resp.error(b"-OOM The reply does not fit into the memory of scripts")
NOT_BUSY = resp.error(b"-NOTBUSY No scripts in execution right now.")
UNKILLABLE = resp.error(
    b"-UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait "
    b"the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
BUSY_SCRIPT = resp.error(
    b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
)
BUSY_FUNCTION = resp.error(
    b"-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
)
_FAILED = b""

# Tells whether the function with this number may be registered so (name, flags, description): None, or what
# is wrong.
Register = Callable[[int, bytes, bytes, bytes | None], bytes | None]


class Runner:
    """The run in progress, if there is one, and the port (see interpreter.py) through which its script asks.

    Args:
        limits: when a script is busy, and when it ends.
    """

    __slots__ = (
        "_argv",
        "_begin_ns",
        "_fault",
        "_flags",
        "_host",
        "_instructions",
        "_is_busy",
        "_is_eval",
        "_is_killed",
        "_limits",
        "_make_room",
        "_name",
        "_polled_ns",
        "_read_only",
        "_register",
        "_wrote",
    )

    def __init__(self, limits: ScriptLimits) -> None:
        self._limits = limits
        self._host: ScriptHost | None = None
        self._register: Register | None = None
        self._fault: BaseException | None = None
        self._is_busy = self._is_killed = False
        self._polled_ns = 0

    # ---- from the commands --------------------------------------------------------------------------------

    def begin(
        self,
        host: ScriptHost,
        name: bytes,
        flags: ScriptFlag,
        argv: Sequence[bytes],
        is_eval: bool,
        is_read_only: bool,
        make_room: Callable[[int], None],
    ) -> bytes | None:
        """Begin a run; unless it is refused, :meth:`end` must follow.

        Args:
            host: for its commands.
            name: what it is called by: the SHA1 of a script, the name of a function.
            flags: what it declared.
            argv: the command that runs it.
            is_eval: a script, not a function.
            is_read_only: run by a command that ends in _RO.
            make_room: of the interpreter it runs in.

        Returns:
            None, or the error reply that says why it may not run.
        """
        if self._host is not None:
            return self.busy_error
        wrong = host.refuse_script(flags)
        if wrong is not None:
            return resp.error(wrong)
        # Arithmetic on flags is slow, and most scripts have none.
        if flags is not ScriptFlag.UNDECLARED:
            no_writes = bool(flags & ScriptFlag.NO_WRITES)
            if is_read_only and not no_writes:
                return WRITE_FLAG
            is_read_only = no_writes
        self._read_only = is_read_only
        self._host, self._name, self._flags, self._argv, self._is_eval = host, name, flags, argv, is_eval
        self._make_room = make_room
        self._wrote = self._is_busy = self._is_killed = False
        self._instructions = 0
        self._begin_ns = host.mono_ns()
        return None

    def begin_load(self, host: ScriptHost, register: Register) -> None:
        """Begin the run of a library's code; :meth:`end` must follow."""
        self._host, self._register, self._instructions = host, register, 0
        self._begin_ns = host.mono_ns()

    def end(self) -> None:
        """End the run.

        Raises:
            BaseException: what the host raised while it lasted.
        """
        fault = self._fault
        self._host = self._register = self._fault = None
        self._is_busy = False
        if fault is not None:
            raise fault

    def broken(self, error: Exception) -> bytes:
        """Log a fault of the runtime that the script has run into, and make the reply for it."""
        assert self._host is not None
        self._host.log(3, b"The Lua runtime failed in %s: %s" % (self._name, str(error).encode()))
        return resp.error(b"Error running script %s, internal error" % self._name)

    def kill(self, is_eval: bool) -> bytes:
        """Answer SCRIPT KILL or FUNCTION KILL; may be called from ``while_busy``."""
        if self._host is None or self._register is not None:
            return NOT_BUSY
        if self._wrote:
            return UNKILLABLE
        if self._is_eval != is_eval:
            return self.busy_error
        self._is_killed = True
        return resp.OK

    @property
    def is_busy(self) -> bool:
        """Whether a script has been running for too long."""
        return self._is_busy

    @property
    def busy_error(self) -> bytes:
        """The error reply for other commands while a script is busy."""
        return BUSY_SCRIPT if self._is_eval else BUSY_FUNCTION

    @property
    def is_running(self) -> bool:
        """Whether a script or function runs."""
        return self._host is not None and self._register is None

    @property
    def is_eval(self) -> bool:
        """Whether what runs is a script, not a function."""
        return self._is_eval

    def running(self) -> tuple[bytes, Sequence[bytes], int]:
        """Name, command and milliseconds so far of what runs."""
        assert self._host is not None
        return self._name, self._argv, (self._host.mono_ns() - self._begin_ns) // 1_000_000

    # ---- from the script ----------------------------------------------------------------------------------

    def call(self, protocol: int, *argv: bytes) -> bytes | None:
        """Run a command (see ``Port``)."""
        try:
            if self._fault is not None:
                return _FAILED
            for argument in argv:
                if type(argument) is not bytes:
                    return None
            return self._checked_call(argv, protocol) if argv else None
        except BaseException as fault:
            self._fault = fault
            return _FAILED

    def _checked_call(self, argv: Sequence[bytes], protocol: int) -> bytes:
        host = self._host
        assert host is not None
        command = host.lookup(argv)
        if command is None:
            return NO_COMMAND
        arity = command.arity
        if len(argv) < -arity or (arity > 0 and len(argv) != arity):
            return WRONG_ARITY
        if command.no_script:
            return NOT_FROM_SCRIPT
        wrong = host.refuse(argv, command)
        if wrong is not None:
            return resp.error(wrong)
        is_write = command.is_write
        if self._read_only and (is_write or command.may_replicate):
            return READ_ONLY
        if is_write and not self._wrote:
            wrong = host.refuse_write(argv, command, self._flags)
            if wrong is not None:
                return resp.error(wrong)
            self._wrote = True
        reply = host.call(argv, protocol)
        if len(reply) > REPLY_UNMEASURED_MAX:
            try:
                self._make_room(2 * len(reply))
            except MemoryError:
                return REPLY_TOO_LARGE
        return reply

    def may(self, *argv: bytes) -> bool | None:
        """Whether the user may run the command (see ``Port``)."""
        try:
            assert self._host is not None
            command = self._host.lookup(argv)
            return None if command is None else self._host.permits(argv, command)
        except BaseException as fault:
            self._fault = fault
            return False

    def log(self, level: int, text: bytes) -> None:
        """Write to the log (see ``Port``)."""
        try:
            assert self._host is not None
            self._host.log(level, text)
        except BaseException as fault:
            self._fault = fault

    def tick(self) -> int:
        """Go on, or stop (see ``Port``)."""
        try:
            if self._host is None:
                return Stop.GO_ON
            self._instructions += HOOK_INSTRUCTIONS
            return self._why_stop(self._host)
        except BaseException as fault:
            self._fault = fault
            return Stop.FAILURE

    def _why_stop(self, host: ScriptHost) -> int:
        if self._fault is not None:
            return Stop.FAILURE
        if self._instructions > self._limits.instructions:
            return Stop.INSTRUCTIONS
        now_ns = host.mono_ns()
        elapsed_ms = (now_ns - self._begin_ns) // 1_000_000
        if self._register is not None:
            return Stop.LOAD_TIME if elapsed_ms > self._limits.load_ms else Stop.GO_ON
        if elapsed_ms < self._limits.busy_after_ms:
            return Stop.GO_ON
        if not self._is_busy:
            self._is_busy = True
            host.log(3, self._slow_text(elapsed_ms))
        elif now_ns - self._polled_ns < BUSY_POLL_NS:
            return Stop.GO_ON
        self._polled_ns = now_ns
        host.while_busy()
        if self._is_killed:
            host.log(3, b"Lua script killed by user with SCRIPT KILL.")
            return Stop.KILLED
        return Stop.GO_ON

    def _slow_text(self, elapsed_ms: int) -> bytes:
        return (
            b"Slow script detected: still in execution after %d milliseconds. "
            b"You can try killing the script using the %s command. Script name is: %s."
            % (elapsed_ms, b"SCRIPT KILL" if self._is_eval else b"FUNCTION KILL", self._name)
        )

    def register(self, number: int, name: bytes, flags: bytes, description: bytes | None) -> bytes | None:
        """Take note of a function (see ``Port``)."""
        try:
            assert self._register is not None
            return self._register(number, name, flags, description)
        except BaseException as fault:
            self._fault = fault
            return b"The library was stopped by a failure of the server"
