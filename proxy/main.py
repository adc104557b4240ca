"""`sluice run`: settings to a running proxy, or one line that says why not.

What a person may have got wrong is looked at before anything heavy is imported. prometheus_client decides at import
whether values are shared between processes, so the environment is set here before anything that imports it.
"""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from classifier.errors import UserError
from proxy import config, cores, logs, state
from proxy.values import Address

QUEUE: Final = 1024
"""Connections that wait until a worker takes them; the system may allow less (net.core.somaxconn)."""

ALONE: Final = ("wireguard", "local")
"""Modes that take no connections of TCP from a socket, which workers could share."""


def run(file: Path | None, folder: Path, options: Mapping[str, Mapping[str, Any]]) -> None:
    """Serve until told to stop. Raises UserError."""
    settings = config.load(file, options)
    state.prepare(folder)
    if settings.proxy.workers != 1 and any(mode.startswith(ALONE) for mode in settings.proxy.modes):
        raise UserError(f"proxy.workers: the modes {' and '.join(ALONE)} can have one worker only", exit_code=2)
    with contextlib.ExitStack() as stack:
        console = stack.enter_context(bind(settings.proxy.admin, "--admin"))
        modes, workers = settings.proxy.modes, cores.workers(settings.proxy.workers)
        listening = []
        if not all("@" in mode or mode.startswith(ALONE) for mode in modes):
            listening = [stack.enter_context(each) for each in listen(settings.proxy.listen, "--listen")]
        logs.configure()
        scratch = state.scratch(folder)
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        trusted = state.trust(scratch, settings.proxy.upstream_ca)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(scratch)
        from proxy import front
        from proxy.process import Job

        job = Job(
            file=file,
            options=options,
            folder=folder,
            scratch=scratch,
            trusted=trusted,
            fixed={name: getattr(settings, name) for name in config.FIXED},
            listening=[each.fileno() for each in listening],
            ports=[each.getsockname()[1] for each in (console, *listening)],
        )
        asyncio.run(front.run(job, settings, workers, console, listening))


def listen(address: Address, option: str) -> list[socket.socket]:
    """Sockets that listen on every address that a name stands for. Raises UserError that names the option to change."""
    first = bind(address, option)
    found = [first]
    port = first.getsockname()[1]
    for family, _, _, _, (host, *_) in socket.getaddrinfo(address.host, port, type=socket.SOCK_STREAM):
        if family != first.family:  # localhost is 127.0.0.1 and ::1
            with contextlib.suppress(UserError):  # which this machine may have no use for
                found.append(bind(Address(str(host), port), option))
    for each in found:
        each.listen(QUEUE)
        each.setblocking(False)
    return found


def bind(address: Address, option: str) -> socket.socket:
    """A socket bound to `address`. Raises UserError that names the option to change."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except OSError as error:
        problem = (error.strerror or str(error)).partition(" (while")[0]
        raise UserError(f"cannot listen on {address}: {problem}; choose another with {option}") from None
