"""The server itself: time, saving, shutting down; replicas and cluster, of which there are none."""

from __future__ import annotations

from respkv.commands.arguments import NO_CLUSTER, SYNTAX, integer, timeout_ms
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.reply import NO_REPLY, OK, Reply, Status, Verbatim
from respkv.commands.version import REDIS_VERSION, RESPKV_VERSION
from respkv.errors import CommandError

PICTURE = r"""
        _     _     _
      _( )_ _( )_ _( )_
     (_ k _|_ v _|_ k _)
       (_)   (_)   (_)
"""


def time(ctx: Context, args: Arguments) -> Reply:
    """TIME: the wall clock, to the millisecond."""
    now_ms = ctx.services.clock.now_ms()
    return [str(now_ms // 1000), str(now_ms % 1000 * 1000)]


def lolwut(ctx: Context, args: Arguments) -> Reply:
    """LOLWUT [VERSION version]."""
    if len(args) > 2 and args[1].upper() == b"VERSION":
        integer(args[2])
    return Verbatim(f"{PICTURE}\nRedis ver. {REDIS_VERSION} (respkv {RESPKV_VERSION})\n")


# ---- saving
# --------------------------------------------------------------------------------------------------


async def save(ctx: Context, args: Arguments) -> Reply:
    """SAVE: answers when all that was written before is on the disk."""
    await ctx.services.save()
    return OK


def bgsave(ctx: Context, args: Arguments) -> Reply:
    """BGSAVE [SCHEDULE]: the same, without waiting."""
    if len(args) > 2 or (len(args) == 2 and args[1].upper() != b"SCHEDULE"):
        raise CommandError(SYNTAX)
    ctx.services.save_later()
    return Status("Background saving started")


def bgrewriteaof(ctx: Context, args: Arguments) -> Reply:
    """BGREWRITEAOF: the log needs no rewriting."""
    return Status("Background append only file rewriting started")


def lastsave(ctx: Context, args: Arguments) -> Reply:
    """LASTSAVE."""
    return ctx.services.last_save_ms // 1000


def shutdown(ctx: Context, args: Arguments) -> Reply:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: what was acknowledged is kept, NOSAVE or not."""
    options = [arg.upper() for arg in args[1:]]
    known = {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"}
    if not set(options) <= known or {b"NOSAVE", b"SAVE"} <= set(options):
        raise CommandError(SYNTAX)
    if b"ABORT" in options:
        raise CommandError("ERR No shutdown in progress." if len(options) == 1 else SYNTAX)
    ctx.services.log("SHUTDOWN was asked for by a client")
    ctx.services.shutdown()
    ctx.close = True
    return NO_REPLY


# ---- replication and clusters
# --------------------------------------------------------------------------------


def role(ctx: Context, args: Arguments) -> Reply:
    """ROLE."""
    return ["master", 0, []]


async def wait(ctx: Context, args: Arguments) -> Reply:
    """WAIT numreplicas timeout: there are no replicas, so that asking for one waits for the time-out."""
    wanted, wait_ms = integer(args[1]), timeout_ms(args[2])
    if wanted > 0:
        await ctx.services.block(ctx.client, wait_ms / 1000 if wait_ms else None)
    return 0


def no_cluster(ctx: Context, args: Arguments) -> Reply:
    """READONLY, READWRITE and CLUSTER, as a Redis that is no part of a cluster answers."""
    raise CommandError(NO_CLUSTER)


CLUSTER_SUBCOMMANDS = (
    "countkeysinslot getkeysinslot help info keyslot links myid nodes replicas reset shards slots"
)

HANDLERS: dict[str, Handler] = {
    "bgrewriteaof": bgrewriteaof,
    "bgsave": bgsave,
    "lastsave": lastsave,
    "lolwut": lolwut,
    "readonly": no_cluster,
    "readwrite": no_cluster,
    "role": role,
    "save": save,
    "shutdown": shutdown,
    "time": time,
    "wait": wait,
    **{f"cluster|{name}": no_cluster for name in CLUSTER_SUBCOMMANDS.split()},
}
