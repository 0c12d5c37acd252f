"""CLIENT: the connections, told and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from respkv.commands.arguments import INT64_MAX, SYNTAX, integer, text, timeout_ms
from respkv.commands.context import Arguments, ClientFacts, Context, Handler
from respkv.commands.passwords import USER
from respkv.commands.reply import NO_REPLY, OK, Members, Reply, Status, Verbatim
from respkv.errors import CommandError

NAME_SIZE_MAX = 127
LIBRARY_SIZE_MAX = 63
TYPES = (b"normal", b"master", b"replica", b"slave", b"pubsub")
REPLY_MODES = {b"ON": 0, b"OFF": 1, b"SKIP": 2}
CONNECTION_BYTES = 2048
"""What a connection costs beside its buffers, about."""

Test = Callable[[ClientFacts], bool]


def valid_name(name: bytes) -> str:
    """Return a connection name as text.

    Raises:
        CommandError: it has spaces or characters that do not print, or is too long.
    """
    if not all(0x21 <= byte <= 0x7E for byte in name):
        raise CommandError("ERR Client names cannot contain spaces, newlines or special characters.")
    if len(name) > NAME_SIZE_MAX:
        raise CommandError(f"ERR Client names are at most {NAME_SIZE_MAX} characters long")
    return text(name)


# ---- telling
# -------------------------------------------------------------------------------------------------


def describe(facts: ClientFacts, now_ms: int, command: str = "") -> str:
    """Return the line of CLIENT LIST.

    Args:
        facts: of the connection.
        now_ms: the present.
        command: what it is running, when that is known better than by facts.
    """
    flags = ("b" if facts.blocked else "") + ("e" if facts.no_evict else "") + ("T" if facts.no_touch else "")
    memory = facts.query_capacity + facts.output_bytes + CONNECTION_BYTES
    fields = {
        "id": facts.id,
        "addr": facts.address,
        "laddr": facts.local_address,
        "fd": facts.fd,
        "name": facts.name,
        "age": max(now_ms - facts.created_ms, 0) // 1000,
        "idle": max(now_ms - facts.active_ms, 0) // 1000,
        "flags": flags or "N",
        "db": facts.db,
        "sub": 0,
        "psub": 0,
        "ssub": 0,
        "multi": -1,
        "qbuf": facts.query_bytes,
        "qbuf-free": max(facts.query_capacity - facts.query_bytes, 0),
        "argv-mem": 0,
        "multi-mem": 0,
        "rbs": 0,
        "rbp": 0,
        "obl": facts.output_bytes,
        "oll": 0,
        "omem": facts.output_bytes,
        "tot-mem": memory,
        "events": "rw" if facts.output_bytes else "r",
        "cmd": command or facts.last_command.lower() or "NULL",
        "user": facts.user or text(USER),
        "redir": -1,
        "resp": facts.resp,
        "lib-name": facts.lib_name,
        "lib-ver": facts.lib_version,
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _lines(ctx: Context, ids: Iterable[int], command: str) -> Reply:
    now_ms = ctx.services.clock.now_ms()
    found = (ctx.services.clients.client(i) for i in ids)
    return Verbatim(
        "".join(
            describe(facts, now_ms, command if facts.id == ctx.client else "") + "\n"
            for facts in found
            if facts
        )
    )


def info(ctx: Context, args: Arguments) -> Reply:
    """CLIENT INFO."""
    return _lines(ctx, [ctx.client], "client|info")


def list_(ctx: Context, args: Arguments) -> Reply:
    """CLIENT LIST [TYPE type | ID id...]."""
    if len(args) == 2:
        return _lines(ctx, ctx.services.clients.clients(), "client|list")
    option = args[2].upper()
    if option == b"TYPE" and len(args) == 4:
        wanted = _client_type(args[3])
        ids = ctx.services.clients.clients() if wanted == b"normal" else []
        return _lines(ctx, ids, "client|list")
    if option == b"ID" and len(args) >= 4:
        ids = [integer(arg, "ERR Invalid client ID") for arg in args[3:]]
        return _lines(ctx, [number for number in ids if number > 0], "client|list")
    raise CommandError(SYNTAX)


def id_(ctx: Context, args: Arguments) -> Reply:
    """CLIENT ID."""
    return ctx.client


def getname(ctx: Context, args: Arguments) -> Reply:
    """CLIENT GETNAME."""
    return ctx.facts().name or None


# ---- changing
# ------------------------------------------------------------------------------------------------


def setname(ctx: Context, args: Arguments) -> Reply:
    """CLIENT SETNAME name."""
    ctx.services.clients.client_set(ctx.client, name=valid_name(args[2]))
    return OK


def setinfo(ctx: Context, args: Arguments) -> Reply:
    """CLIENT SETINFO LIB-NAME name | LIB-VER version."""
    attribute, value = args[2].lower(), args[3]
    if attribute not in (b"lib-name", b"lib-ver"):
        raise CommandError(f"ERR Unrecognized option '{text(args[2])}'")
    if not all(0x21 <= byte <= 0x7E for byte in value) or len(value) > LIBRARY_SIZE_MAX:
        raise CommandError(f"ERR {text(attribute)} cannot contain spaces, newlines or special characters.")
    facts = ctx.facts()
    name, version = facts.lib_name, facts.lib_version
    if attribute == b"lib-name":
        name = text(value)
    else:
        version = text(value)
    ctx.services.clients.client_set(ctx.client, lib_name=name, lib_version=version)
    return OK


def _on(argument: bytes) -> bool:
    word = argument.upper()
    if word not in (b"ON", b"OFF"):
        raise CommandError(SYNTAX)
    return word == b"ON"


def no_evict(ctx: Context, args: Arguments) -> Reply:
    """CLIENT NO-EVICT ON | OFF."""
    ctx.services.clients.client_set(ctx.client, no_evict=_on(args[2]))
    return OK


def no_touch(ctx: Context, args: Arguments) -> Reply:
    """CLIENT NO-TOUCH ON | OFF."""
    ctx.services.clients.client_set(ctx.client, no_touch=_on(args[2]))
    return OK


def reply(ctx: Context, args: Arguments) -> Reply:
    """CLIENT REPLY ON | OFF | SKIP."""
    mode = REPLY_MODES.get(args[2].upper())
    if mode is None:
        raise CommandError(SYNTAX)
    ctx.services.clients.client_set(ctx.client, reply_mode=mode)
    return OK if mode == 0 else NO_REPLY


def pause(ctx: Context, args: Arguments) -> Reply:
    """CLIENT PAUSE timeout [WRITE | ALL]."""
    if len(args) > 4:
        raise CommandError(SYNTAX)
    mode = args[3].upper() if len(args) == 4 else b"ALL"
    if mode not in (b"WRITE", b"ALL"):
        raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    wait_ms = timeout_ms(args[2])
    services = ctx.services
    now_ms = services.clock.now_ms()
    if wait_ms > INT64_MAX - now_ms:
        raise CommandError("ERR timeout is out of range")
    # As in Redis a new pause may lengthen one that goes on, and never weakens it.
    going_on = services.paused_until_ms > now_ms
    services.paused_writes_only = mode == b"WRITE" and (services.paused_writes_only or not going_on)
    services.paused_until_ms = max(services.paused_until_ms, now_ms + wait_ms)
    services.clients.pause(services.paused_until_ms, services.paused_writes_only)
    return OK


def unpause(ctx: Context, args: Arguments) -> Reply:
    """CLIENT UNPAUSE."""
    ctx.services.paused_until_ms = 0
    ctx.services.clients.pause(0, False)
    return OK


def unblock(ctx: Context, args: Arguments) -> Reply:
    """CLIENT UNBLOCK id [TIMEOUT | ERROR]."""
    if len(args) > 4:
        raise CommandError(SYNTAX)
    if len(args) == 4 and args[3].upper() not in (b"TIMEOUT", b"ERROR"):
        raise CommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    with_error = len(args) == 4 and args[3].upper() == b"ERROR"
    return int(ctx.services.unblock(integer(args[2]), with_error))


# ---- KILL
# ----------------------------------------------------------------------------------------------------


def _client_type(argument: bytes) -> bytes:
    word = argument.lower()
    if word not in TYPES:
        raise CommandError(f"ERR Unknown client type '{text(argument)}'")
    return word


def kill(ctx: Context, args: Arguments) -> Reply:
    """CLIENT KILL address | filter value..."""
    if len(args) == 3:
        address = text(args[2])
        for facts in _all(ctx):
            if facts.address == address:
                _close(ctx, facts.id)
                return OK
        raise CommandError("ERR No such client")
    if len(args) % 2:
        raise CommandError(SYNTAX)
    tests, skip_me = _filters(args[2:])
    killed = [
        facts.id
        for facts in _all(ctx)
        if all(test(facts) for test in tests) and not (skip_me and facts.id == ctx.client)
    ]
    for client in killed:
        _close(ctx, client)
    return len(killed)


def _all(ctx: Context) -> Iterable[ClientFacts]:
    clients = ctx.services.clients
    return [facts for i in clients.clients() if (facts := clients.client(i))]


def _close(ctx: Context, client: int) -> None:
    if client == ctx.client:
        ctx.close = True
    else:
        ctx.services.clients.client_close(client)


def _filters(words: Arguments) -> tuple[list[Test], bool]:
    """The tests that a connection has to pass, and whether the one that asks is spared."""
    tests: list[Test] = []
    skip_me = True
    for name, value in zip(words[::2], words[1::2], strict=True):
        option = name.upper()
        if option == b"SKIPME":
            if value.lower() not in (b"yes", b"no"):
                raise CommandError(SYNTAX)
            skip_me = value.lower() == b"yes"
        else:
            tests.append(_filter(option, value))
    return tests, skip_me


def _filter(option: bytes, value: bytes) -> Test:
    wanted = text(value)
    if option == b"ID":
        number = integer(value, "ERR client-id should be greater than 0")
        if number < 1:
            raise CommandError("ERR client-id should be greater than 0")
        return lambda facts: facts.id == number
    if option == b"ADDR":
        return lambda facts: facts.address == wanted
    if option == b"LADDR":
        return lambda facts: facts.local_address == wanted
    if option == b"TYPE":
        normal = _client_type(value) == b"normal"
        return lambda facts: normal
    if option == b"USER":
        if value != USER:
            raise CommandError(f"ERR No such user '{wanted}'")
        return lambda facts: (facts.user or text(USER)) == wanted
    raise CommandError(SYNTAX)


# ---- tracking, which is for later
# ----------------------------------------------------------------------------


def tracking(ctx: Context, args: Arguments) -> Reply:
    """CLIENT TRACKING: it can only be off."""
    if args[2].upper() == b"OFF" and len(args) == 3:
        return OK
    if args[2].upper() != b"ON":
        raise CommandError(SYNTAX)
    raise CommandError("ERR Client tracking is not supported by this server")


def caching(ctx: Context, args: Arguments) -> Reply:
    """CLIENT CACHING YES | NO."""
    raise CommandError(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
        "enabled"
    )


def getredir(ctx: Context, args: Arguments) -> Reply:
    """CLIENT GETREDIR."""
    return -1


def trackinginfo(ctx: Context, args: Arguments) -> Reply:
    """CLIENT TRACKINGINFO."""
    return {"flags": Members(["off"]), "redirect": -1, "prefixes": []}


HELP = [
    "CLIENT <subcommand> [<argument> ...]. Subcommands are:",
    "GETNAME, SETNAME <name>",
    "    The name of this connection.",
    "ID",
    "    The id of this connection.",
    "INFO",
    "    The line of CLIENT LIST about this connection.",
    "KILL <ip:port>, KILL <filter> <value> [<filter> <value> ...]",
    "    Close connections. Filters: ID, ADDR, LADDR, TYPE, USER, SKIPME (YES by default).",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <id> ...]",
    "    A line for every connection.",
    "NO-EVICT (ON|OFF), NO-TOUCH (ON|OFF)",
    "    Spare this connection when buffers are too large; do not count its reads as use.",
    "PAUSE <milliseconds> [WRITE|ALL], UNPAUSE",
    "    Hold all commands, or those that write.",
    "REPLY (ON|OFF|SKIP)",
    "    Whether this connection gets replies.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    What library this is.",
    "TRACKING, TRACKINGINFO, CACHING, GETREDIR, UNBLOCK",
    "    Accepted where they mean something here.",
    "HELP",
    "    This text.",
]


def help_(ctx: Context, args: Arguments) -> Reply:
    """CLIENT HELP."""
    return [Status(line) for line in HELP]


HANDLERS: dict[str, Handler] = {
    "client|caching": caching,
    "client|getname": getname,
    "client|getredir": getredir,
    "client|help": help_,
    "client|id": id_,
    "client|info": info,
    "client|kill": kill,
    "client|list": list_,
    "client|no-evict": no_evict,
    "client|no-touch": no_touch,
    "client|pause": pause,
    "client|reply": reply,
    "client|setinfo": setinfo,
    "client|setname": setname,
    "client|tracking": tracking,
    "client|trackinginfo": trackinginfo,
    "client|unblock": unblock,
    "client|unpause": unpause,
}
