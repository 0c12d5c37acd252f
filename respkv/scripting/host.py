"""What the scripting room is given by the server, and what it says of a script.

The room is pure: it runs Lua, and everything else comes through a :class:`ScriptHost`, which the server makes
for the connection that sent EVAL or FCALL. All its methods are called from inside the room's own methods, on
the same thread, and while a script runs no other method of the room may be called but those that say so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import NamedTuple, Protocol


class CommandFacts(NamedTuple):
    """What of a command decides whether a script may run it."""

    # The number of arguments with the name; negative: at least so many.
    arity: int
    is_write: bool
    # PUBLISH and the like, which a read-only script may not call either.
    may_replicate: bool
    # Flag noscript.
    no_script: bool


class ScriptFlag(IntFlag):
    """What a script says of itself in its first line, or a function when it is registered."""

    NO_WRITES = 1
    ALLOW_OOM = 2
    ALLOW_STALE = 4
    NO_CLUSTER = 8
    ALLOW_CROSS_SLOT_KEYS = 16
    # An EVAL without a first line "#!lua": nothing was declared, and each command is checked as it is called.
    UNDECLARED = 32


FLAG_NAMES = {
    b"no-writes": ScriptFlag.NO_WRITES,
    b"allow-oom": ScriptFlag.ALLOW_OOM,
    b"allow-stale": ScriptFlag.ALLOW_STALE,
    b"no-cluster": ScriptFlag.NO_CLUSTER,
    b"allow-cross-slot-keys": ScriptFlag.ALLOW_CROSS_SLOT_KEYS,
}


class ScriptHost(Protocol):
    """One connection's door to the server, as long as its script runs.

    Where a method may refuse, it returns the text of the error: ``b"-CODE text"``, or ``b"text"`` for the
    code ERR. Exceptions that methods raise end the script and come out of the room's method that ran it.
    """

    def lookup(self, argv: Sequence[bytes]) -> CommandFacts | None:
        """The command (or subcommand) that these arguments name, None if there is none."""

    def call(self, argv: Sequence[bytes], resp: int) -> bytes:
        """Run a command that has passed all checks, in the script's transaction, without blocking.

        Args:
            argv: name and arguments.
            resp: 2 or 3, the protocol version of the reply.

        Returns:
            The whole reply, errors included.
        """

    def permits(self, argv: Sequence[bytes], command: CommandFacts) -> bool:
        """Whether the user may run it (redis.acl_check_cmd)."""

    def refuse(self, argv: Sequence[bytes], command: CommandFacts) -> bytes | None:
        """Why this user or node may not run the command now (ACL, stale data); None to go on."""

    def refuse_write(self, argv: Sequence[bytes], command: CommandFacts, flags: ScriptFlag) -> bytes | None:
        """Why the script may not begin to write (replica, disk, memory unless ALLOW_OOM); None to go on."""

    def refuse_script(self, flags: ScriptFlag) -> bytes | None:
        """Why such a script may not begin (cluster, stale data, replica, disk, memory); None to go on."""

    def mono_ns(self) -> int:
        """The monotonic clock."""

    def while_busy(self) -> None:
        """Called every millisecond or more of a script that has run for longer than ``busy_after_ms``.

        The server may answer its other connections: with ``Scripting.busy_error``, and SCRIPT KILL and
        FUNCTION KILL with what ``Scripting.kill`` returns.
        """

    def log(self, level: int, text: bytes) -> None:
        """Write to the server's log: level 0 debug, 1 verbose, 2 notice, 3 warning."""

    def store_library(self, name: bytes, code: bytes | None) -> None:
        """Remember a library, or forget it (None), as an effect of the FUNCTION command that runs."""


@dataclass(frozen=True)
class ScriptLimits:
    """The maxima of what scripts may take."""

    # Of each of the two Lua states (scripts, functions), garbage not yet collected included.
    memory_bytes: int = 256 << 20
    # Of one run; the hook that counts them comes every 10,000.
    instructions: int = 50_000_000_000
    # From when on a script is busy: others are told so, and it may be killed.
    busy_after_ms: int = 5000
    # FUNCTION LOAD takes no longer.
    load_ms: int = 500
    # Of the script cache; the oldest not used lately are forgotten.
    scripts: int = 10_000
    script_bytes: int = 16 << 20


# Does the text match the glob pattern, letter case aside?
GlobMatch = Callable[[bytes, bytes], bool]
