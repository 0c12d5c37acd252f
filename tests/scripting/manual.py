"""A ScriptHost of which every answer can be set, on a clock that the test moves. No server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from respkv.scripting import CommandFacts, ScriptFlag, Scripting, ScriptLimits


def no_match(_pattern: bytes, _text: bytes) -> bool:
    """A glob that matches nothing."""
    return False


@dataclass
class ManualHost:
    """Commands get and set; all they do is answer."""

    reply: bytes = b"+OK\r\n"
    # What the clock moves by whenever it is read.
    step_ns: int = 0
    now_ns: int = 0
    refusal: bytes | None = None
    write_refusal: bytes | None = None
    script_refusal: bytes | None = None
    is_permitted: bool = True
    on_busy: Callable[[], None] = lambda: None
    on_call: Callable[[Sequence[bytes]], None] = lambda argv: None
    busy_count: int = 0
    calls: list[tuple[bytes, ...]] = field(default_factory=list)
    asked: list[ScriptFlag] = field(default_factory=list)
    logged: list[tuple[int, bytes]] = field(default_factory=list)
    stored: list[tuple[bytes, bytes | None]] = field(default_factory=list)

    def lookup(self, argv: Sequence[bytes]) -> CommandFacts | None:
        """get and set, in small letters."""
        return {
            b"get": CommandFacts(2, False, False, False),
            b"set": CommandFacts(-3, True, False, False),
        }.get(argv[0])

    def call(self, argv: Sequence[bytes], resp: int) -> bytes:
        """The reply that was set."""
        self.calls.append(tuple(argv))
        self.on_call(argv)
        return self.reply

    def permits(self, argv: Sequence[bytes], command: CommandFacts) -> bool:
        """As was set."""
        return self.is_permitted

    def refuse(self, argv: Sequence[bytes], command: CommandFacts) -> bytes | None:
        """As was set."""
        return self.refusal

    def refuse_write(self, argv: Sequence[bytes], command: CommandFacts, flags: ScriptFlag) -> bytes | None:
        """As was set."""
        self.asked.append(flags)
        return self.write_refusal

    def refuse_script(self, flags: ScriptFlag) -> bytes | None:
        """As was set."""
        return self.script_refusal

    def mono_ns(self) -> int:
        """The test's clock."""
        self.now_ns += self.step_ns
        return self.now_ns

    def while_busy(self) -> None:
        """What was set, counted."""
        self.busy_count += 1
        self.on_busy()

    def log(self, level: int, text: bytes) -> None:
        """Keep it."""
        self.logged.append((level, text))

    def store_library(self, name: bytes, code: bytes | None) -> None:
        """Keep it."""
        self.stored.append((name, code))


class Bench:
    """A room and its host."""

    def __init__(self, limits: ScriptLimits = ScriptLimits()) -> None:  # noqa: B008 - frozen
        self.host = ManualHost()
        self.room = Scripting(limits, no_match)

    def run(self, *argv: bytes) -> bytes:
        """Run a command."""
        return self.room.execute(self.host, argv, 2)

    def eval(self, text: str, *arguments: bytes) -> bytes:
        """Run a script without keys."""
        return self.run(b"EVAL", text.encode(), b"0", *arguments)
