"""How the C core becomes the extension module ``respkv._native``: cffi, out of line, API mode.

The declarations are native/include/respkv.h as it stands, less its preprocessor lines; the sources are every
.c file below native/src. setuptools finds the builder as ``native/build_ffi.py:ffi``. Nothing is generated in
the source tree: cffi writes the binding's C file into the build directory.

liblz4 is linked where its header and library are; without it blocks stay raw and ``rkv_build_info`` says so.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from cffi import FFI

NATIVE = Path(__file__).resolve().parent
HEADER = NATIVE / "include" / "respkv.h"


def declarations(header: str) -> str:
    """Strip what cffi's parser does not read: the preprocessor lines of respkv.h."""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


def has_lz4() -> bool:
    """Say whether a program with liblz4 compiles and links here."""
    compiler = shutil.which(os.environ.get("CC", "cc").split()[0])
    if compiler is None:
        return False
    program = "#include <lz4.h>\nint main(void) { return LZ4_versionNumber() == 0; }\n"
    with tempfile.TemporaryDirectory() as scratch:
        command = [compiler, "-x", "c", "-", "-o", str(Path(scratch) / "probe"), "-llz4"]
        result = subprocess.run(command, input=program, text=True, capture_output=True, check=False)
    return result.returncode == 0


def version() -> str:
    """Read the package's version where it is written once, in pyproject.toml."""
    text = (NATIVE.parent / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("pyproject.toml names no version")
    return found.group(1)


def builder() -> FFI:
    """Describe the module to cffi."""
    result = FFI()
    result.cdef(declarations(HEADER.read_text(encoding="utf-8")))
    macros: list[tuple[str, str | None]] = [("_GNU_SOURCE", None), ("RKV_VERSION", f'"{version()}"')]
    libraries = ["pthread"]
    if has_lz4():
        macros.append(("RKV_HAVE_LZ4", None))
        libraries.append("lz4")
    sources = sorted((NATIVE / "src").rglob("*.c"))
    result.set_source(
        "respkv._native",
        '#include "respkv.h"',
        sources=[os.path.relpath(path) for path in sources],
        include_dirs=[str(NATIVE / "include"), str(NATIVE / "src")],
        define_macros=macros,
        undef_macros=["NDEBUG"],  # assertions guard our own mistakes and stay on
        libraries=libraries,
        extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden"],
        depends=[os.path.relpath(path) for path in sorted(NATIVE.rglob("*.h"))],
    )
    return result


ffi = builder()
