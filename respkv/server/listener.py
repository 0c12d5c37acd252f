"""Listening sockets: bound first, so that a port in use is known at once; opened when the store is there."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from respkv.errors import StartError

EVERYWHERE = {"*": (socket.AF_INET, "0.0.0.0"), "::*": (socket.AF_INET6, "::")}
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Bind a TCP port on some addresses, without listening yet.

    Args:
        addresses: as the directive bind takes them; a "-" before one makes it optional.
        port: 0 takes any.

    Returns:
        The sockets, at least one.

    Raises:
        StartError: an address that is not optional cannot be bound.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            optional, address = address.startswith("-"), address.removeprefix("-")
            bound = _bind(address, port, optional)
            if bound:
                sockets.append(bound)
        if not sockets:
            raise StartError("bind: there is no address to listen on")
    except StartError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _bind(address: str, port: int, optional: bool) -> socket.socket | None:
    try:
        family, host = EVERYWHERE.get(address) or _numeric(address, port)
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if optional:
            return None
        raise StartError(f"bind: cannot use {address}: {error.strerror}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        if optional and error.errno in NOT_HERE:
            return None
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be bound: {error.strerror}"
        raise StartError(f"port {port} on {address} {why}") from None
    return bound


def _numeric(address: str, port: int) -> tuple[int, str]:
    """The family of a host and its numeric address."""
    family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    return family, str(where[0])


def shown(bound: socket.socket) -> str:
    """Return the address of a socket as ip:port."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(sockets: Sequence[socket.socket], backlog: int) -> None:
    """Let clients connect.

    Raises:
        StartError: somebody else listens there after all.
    """
    for bound in sockets:
        try:
            bound.listen(backlog)
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot listen: {error.strerror}"
            raise StartError(f"{shown(bound)} {why}") from None
