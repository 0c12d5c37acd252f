"""The command respkv-server.

respkv-server [FILE] [--directive value ...]       serve
respkv-server --verify | --repair [FILE] [...]     look after a store that nobody serves
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from respkv import __version__, config
from respkv.errors import RespkvError

USAGE = f"""respkv {__version__}

usage: respkv-server [FILE] [--directive value ...]

FILE is a configuration file like conf/respkv.conf, which explains every directive. On the command line
directives have the same names, and win over the file:

  respkv-server --port 7001 --dir /var/lib/respkv --appendfsync always

  --help       this text
  --version    the version
  --verify     read every file of the store and check every checksum; exit status 1 if any is wrong
  --repair     rebuild the list of a store's tables from the tables; what cannot be read goes to lost/
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["--help"], ["-h"]):
        print(USAGE, end="")
        return 0
    if words[:1] in (["--version"], ["-v"]):
        print(f"respkv {__version__}")
        return 0
    try:
        action = words.pop(0) if words[:1] in (["--verify"], ["--repair"]) else ""
        settings = config.load(words)
        from respkv import node  # the compiled core is needed only from here on

        if action:
            return node.verify(settings) if action == "--verify" else node.repair(settings)
        return node.run(settings)
    except RespkvError as error:
        print(f"respkv-server: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
