"""Who may import whom: DESIGN.md 2 and STYLE.md as tables, held against every source file."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Rooms of the package, each with what it may import beside the leaves, which stand on each other only.
LEAVES = {"clock", "config", "errors", "metrics", "types"}
PYTHON_ROOMS: dict[str, set[str]] = {
    "__main__": {"node", "native"},
    "node": {"server", "commands", "cluster", "storage", "native"},
    "server": {"commands", "cluster", "storage", "native"},
    "commands": {"storage"},
    "cluster": {"storage"},
    "storage": {"native"},
    "native": {"_native"},
    "client": set(),
    "admin": {"client"},
    "__init__": set(),
    **{leaf: set() for leaf in LEAVES},
}
# Time, chance, disk and network are handed in to these.
PURE_ROOMS = {"commands", "cluster"}
IMPURE = {
    "asyncio",
    "os",
    "random",
    "secrets",
    "select",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uvloop",
}

C_ROOMS: dict[str, set[str]] = {
    "base": set(),
    "os": {"base"},
    "lsm": {"os", "base"},
    "resp": {"base"},
    "types": {"base"},
    "repl": {"lsm", "os", "base"},
    "serve": {"repl", "lsm", "resp", "os", "base"},
    "api": {"serve", "repl", "lsm", "resp", "os", "base", "respkv.h"},
}
# Files, clocks and chance come through os/os.h; the heap through base/alloc.h, except in the tests' bad disk,
# which must not fail when their allocations do.
OS_CALL = re.compile(
    r"(?<![\w.>])(open|openat|fopen|pread\w*|pwrite\w*|fsync|fdatasync|sync_file_range|rename|unlink|flock"
    r"|clock_gettime|gettimeofday|time|nanosleep|getrandom|rand|random)\("
)
# Threads that wait for a while, in real time whatever the os tells; they decide nothing by it.
TIMED_WAITS = {"lsm/background.c": "clock_gettime", "lsm/compact.c": "nanosleep"}
HEAP_CALL = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|aligned_alloc|posix_memalign|free|strdup)\(")


def imported(path: str, tree: ast.AST) -> set[str]:
    """Every module that the file at path below the root imports, by its whole dotted name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = path.split("/")[: -node.level] if node.level else []
            base = above + ([node.module] if node.module else [])
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return names


def python_faults(path: str, text: str) -> list[str]:
    """What a file of the package imports and may not. path is relative to respkv/."""
    room = path.split("/")[0].removesuffix(".py")
    faults = []
    for name in imported(f"respkv/{path}", ast.parse(text)):
        top, *rest = name.split(".")
        if top == "respkv" and rest and rest[0] not in {room, "__version__"} | PYTHON_ROOMS[room] | LEAVES:
            faults.append(f"respkv/{path}: {room} may not import {name}")
        if room in PURE_ROOMS and top in IMPURE:
            faults.append(f"respkv/{path}: {room} is pure and may not import {name}")
    return faults


def c_faults(path: str, text: str) -> list[str]:
    """What a C file includes or calls and may not. path is relative to native/src/."""
    room = path.split("/")[0] if "/" in path else "api"
    included = re.findall(r'^\s*#\s*include\s+"(api|[^"/]+)', text, re.MULTILINE)
    faults = [
        f"native/src/{path}: {room} may not include {name}"
        for name in included
        if name not in C_ROOMS[room] | {room}
    ]
    code = re.sub(r"/\*.*?\*/|\"(\\.|[^\"\\])*\"", "", text, flags=re.DOTALL)
    for call in {m[1] for m in OS_CALL.finditer(code)} - {TIMED_WAITS.get(path)} if room != "os" else ():
        faults.append(f"native/src/{path}: {call} instead of os/os.h")
    if path != "base/alloc.c" and "fault" not in path and (match := HEAP_CALL.search(code)):
        faults.append(f"native/src/{path}: {match[1]} instead of base/alloc.h")
    return faults


def test_the_package_imports_downwards() -> None:
    files = sorted((ROOT / "respkv").rglob("*.py"))
    assert files
    assert [f for p in files for f in python_faults(str(p.relative_to(ROOT / "respkv")), p.read_text())] == []


def test_the_c_core_includes_downwards() -> None:
    files = sorted(p for p in (ROOT / "native/src").rglob("*") if p.suffix in {".c", ".h"})
    assert files
    assert [f for p in files for f in c_faults(str(p.relative_to(ROOT / "native/src")), p.read_text())] == []


def test_a_wrong_import_is_seen() -> None:
    wrong = "import time\nfrom respkv.cluster import ring\nfrom ..server import links"
    assert len(python_faults("commands/x.py", wrong)) == 3
    assert python_faults("storage/x.py", "from respkv import _native") != []
    assert python_faults("errors.py", "from . import node") != []
    right = "import os\nfrom respkv import errors, native\nfrom . import keys\nfrom .keys import slot"
    assert python_faults("storage/x.py", right) == []
    assert len(c_faults("lsm/x.c", '#include "serve/conn.h"\n#include "respkv.h"\n')) == 2
    right = '#include "os/os.h"\n#include "lsm/cell.h"\n#include <pthread.h>\nd->free(p); /* free(p) */'
    assert c_faults("lsm/x.c", right) == []
    assert len(c_faults("resp/x.c", "int fd = open(path, 0);\nvoid *p = malloc(3);")) == 2
