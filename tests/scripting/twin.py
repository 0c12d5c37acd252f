"""A redis-server and the scripting room beside each other: the same script run by both, on the same data.

The room's host sends the script's commands to that redis-server, one by one, so whatever differs is the
room's.
"""

import time
from collections.abc import Sequence

from harness.wire import Argument, Wire
from respkv.scripting import CommandFacts, ScriptFlag, Scripting, ScriptLimits

# Of a script that Redis would run alone; here it may wait for a busy machine.
LIMITS = ScriptLimits(busy_after_ms=60_000, load_ms=60_000)


# The flag is one that COMMAND does not show.
MAY_REPLICATE = {b"publish", b"spublish", b"pfcount"}


def matches(pattern: bytes, text: bytes) -> bool:
    """Enough of a glob for these tests: a star at the end."""
    pattern, text = pattern.lower(), text.lower()
    return text.startswith(pattern[:-1]) if pattern.endswith(b"*") else text == pattern


def command_facts(wire: Wire) -> dict[bytes, CommandFacts]:
    """Ask redis-server for its commands, subcommands as ``container|name``."""
    facts: dict[bytes, CommandFacts] = {}

    def add(entry: list[object]) -> None:
        name, arity, flags, subcommands = entry[0], entry[1], entry[2], entry[9]
        assert isinstance(name, bytes) and isinstance(arity, int)
        assert isinstance(flags, list) and isinstance(subcommands, list)
        facts[name] = CommandFacts(arity, "write" in flags, name in MAY_REPLICATE, "noscript" in flags)
        for subcommand in subcommands:
            add(subcommand)

    for entry in wire("COMMAND"):
        add(entry)
    return facts


class ForwardingHost:
    """A ScriptHost whose commands run on redis-server."""

    def __init__(self, port: int) -> None:
        self.wires = {2: Wire(port), 3: Wire(port, resp=3)}
        self.facts = command_facts(self.wires[2])
        self.containers = {name.split(b"|")[0] for name in self.facts if b"|" in name}
        self.logged: list[tuple[int, bytes]] = []
        self.stored: list[tuple[bytes, bytes | None]] = []

    def lookup(self, argv: Sequence[bytes]) -> CommandFacts | None:
        """As redis-server's table has it."""
        name = argv[0].lower()
        if b"|" in name:
            return None
        if name in self.containers and len(argv) > 1:
            return self.facts.get(name + b"|" + argv[1].lower())
        return self.facts.get(name)

    def call(self, argv: Sequence[bytes], resp: int) -> bytes:
        """Send it on."""
        return self.wires[resp].raw(*argv)

    def permits(self, argv: Sequence[bytes], command: CommandFacts) -> bool:
        """Everything."""
        return True

    def refuse(self, argv: Sequence[bytes], command: CommandFacts) -> bytes | None:
        """Nothing."""
        return None

    def refuse_write(self, argv: Sequence[bytes], command: CommandFacts, flags: ScriptFlag) -> bytes | None:
        """Nothing."""
        return None

    def refuse_script(self, flags: ScriptFlag) -> bytes | None:
        """Nothing."""
        return None

    def mono_ns(self) -> int:
        """The clock of this machine."""
        return time.monotonic_ns()

    def while_busy(self) -> None:
        """Nobody else waits."""

    def log(self, level: int, text: bytes) -> None:
        """Keep it."""
        self.logged.append((level, text))

    def store_library(self, name: bytes, code: bytes | None) -> None:
        """Keep it."""
        self.stored.append((name, code))

    def close(self) -> None:
        """Close the connections."""
        for wire in self.wires.values():
            wire.close()


class Twin:
    """Both sides."""

    def __init__(self, port: int) -> None:
        self.host = ForwardingHost(port)
        self.clients = {2: Wire(port), 3: Wire(port, resp=3)}
        self.room = Scripting(LIMITS, matches)

    def close(self) -> None:
        """Close the connections."""
        self.host.close()
        for client in self.clients.values():
            client.close()

    def reset(self) -> None:
        """Empty the data, forget the scripts of both."""
        self.clients[2]("FLUSHALL")
        for flush in ("SCRIPT", "FUNCTION"):
            self.both(flush, "FLUSH")

    def both(self, *arguments: Argument, resp: int = 2) -> tuple[bytes, bytes]:
        """Run one command: the reply of redis-server, and the room's."""
        theirs = self.clients[resp].raw(*arguments)
        return theirs, self.ours(*arguments, resp=resp)

    def ours(self, *arguments: Argument, resp: int = 2) -> bytes:
        """Run one command in the room."""
        argv = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
        return self.room.execute(self.host, argv, resp)

    def script(
        self,
        text: str | bytes,
        keys: Sequence[Argument] = (),
        arguments: Sequence[Argument] = (),
        *,
        resp: int = 2,
        data: Sequence[tuple[Argument, ...]] = (),
        command: str = "EVAL",
    ) -> tuple[bytes, bytes]:
        """Run a script by both, each on fresh data."""
        replies = []
        for run in (self.clients[resp].raw, lambda *a: self.ours(*a, resp=resp)):
            self.clients[2]("FLUSHALL")
            self.clients[2].raw_many(data)
            replies.append(run(command, text, len(keys), *keys, *arguments))
        return replies[0], replies[1]
