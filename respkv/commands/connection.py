"""HELLO, AUTH, QUIT and RESET; the rest of what a connection says (PING, ECHO, SELECT) runs in C."""

from __future__ import annotations

from respkv.commands.arguments import SYNTAX, integer, text
from respkv.commands.client import valid_name
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.passwords import USER
from respkv.commands.reply import OK, Reply, Status
from respkv.commands.version import REDIS_VERSION
from respkv.errors import CommandError

NO_PASSWORD_SET = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
HELLO_NEEDS_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
    "the same time"
)


async def _authenticate(ctx: Context, user: bytes, password: bytes) -> None:
    """Let the connection in, or raise after the delay that its address has earned."""
    services = ctx.services
    address = ctx.facts().address
    if services.passwords.check(user, password, address):
        services.clients.client_set(ctx.client, authenticated=True, user=text(user))
        ctx.authenticated = True
        return
    delay = services.passwords.delay_s(address)
    if delay:
        await services.sleep(delay)
    raise CommandError(WRONG_PASSWORD)


async def auth(ctx: Context, args: Arguments) -> Reply:
    """AUTH [username] password."""
    if len(args) > 3:
        raise CommandError(SYNTAX)
    if len(args) == 2 and not ctx.services.passwords.required():
        raise CommandError(NO_PASSWORD_SET)
    user = args[1] if len(args) == 3 else USER
    await _authenticate(ctx, user, args[-1])
    return OK


async def hello(ctx: Context, args: Arguments) -> Reply:
    """HELLO [protover [AUTH username password] [SETNAME clientname]]."""
    version = 0
    if len(args) > 1:
        version = integer(args[1], "ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise CommandError("NOPROTO unsupported protocol version")
    await _hello_options(ctx, args)
    if not ctx.authenticated:
        raise CommandError(HELLO_NEEDS_AUTH)
    if version:
        ctx.services.clients.client_set(ctx.client, resp=version)
        ctx.resp = version
    return {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": ctx.resp,
        "id": ctx.client,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }


async def _hello_options(ctx: Context, args: Arguments) -> None:
    """Do what the options say, one by one: as in Redis those before a wrong one have had their effect."""
    at = 2
    while at < len(args):
        option, left = args[at].upper(), len(args) - 1 - at
        if option == b"AUTH" and left >= 2:
            await _authenticate(ctx, args[at + 1], args[at + 2])
            at += 3
        elif option == b"SETNAME" and left >= 1:
            ctx.services.clients.client_set(ctx.client, name=valid_name(args[at + 1]))
            at += 2
        else:
            raise CommandError(f"ERR Syntax error in HELLO option '{text(args[at])}'")


def quit_(ctx: Context, args: Arguments) -> Reply:
    """QUIT."""
    ctx.close = True
    return OK


def reset(ctx: Context, args: Arguments) -> Reply:
    """RESET."""
    ctx.services.clients.client_set(
        ctx.client,
        db=0,
        resp=2,
        name="",
        no_evict=False,
        no_touch=False,
        reply_mode=0,
        authenticated=not ctx.services.passwords.required(),
        user=text(USER),
    )
    ctx.resp = 2
    return Status("RESET")


HANDLERS: dict[str, Handler] = {"auth": auth, "hello": hello, "quit": quit_, "reset": reset}
