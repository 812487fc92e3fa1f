"""The one way out of a sandbox: who connects to a socket file gets to the model's host, and nowhere else."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1 << 16
_CONNECT_S = 30.0


@contextlib.contextmanager
def model_door(path: Path, host: str, port: int) -> Iterator[None]:
    """Connections to the socket file ``path`` lead to ``host:port`` while the block lasts."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        threading.Thread(target=_accept, args=(door, host, port), name="model door", daemon=True).start()
        try:
            yield
        finally:
            # Wakes the thread that waits in accept.
            door.shutdown(socket.SHUT_RDWR)


def _accept(door: socket.socket, host: str, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            inside, _ = door.accept()
            threading.Thread(target=_connect, args=(inside, host, port), name="model door", daemon=True).start()


def _connect(inside: socket.socket, host: str, port: int) -> None:
    with inside, contextlib.suppress(OSError), socket.create_connection((host, port), _CONNECT_S) as outside:
        outside.settimeout(None)
        back = threading.Thread(target=_pump, args=(outside, inside), name="model door", daemon=True)
        back.start()
        _pump(inside, outside)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until there is no more, and say so."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
