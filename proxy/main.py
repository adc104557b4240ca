"""`sluice run`: settings to a running proxy, or one line that says why not.

What a person may have got wrong is looked at before anything heavy is imported. prometheus_client decides at import
whether values are shared between processes, so the environment is set here before anything that imports it.
"""

import functools
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from classifier.errors import UserError
from proxy import config, logs, state
from proxy.values import Address


def run(file: Path | None, folder: Path, options: Mapping[str, Mapping[str, Any]]) -> None:
    """Serve until told to stop. Raises UserError."""
    settings = config.load(file, options)
    state.prepare(folder)
    console = bind(settings.proxy.admin, "--admin")
    if any("@" not in mode and not mode.startswith("local") for mode in settings.proxy.modes):
        bind(settings.proxy.listen, "--listen").close()
    logs.configure()
    shared = state.scratch(folder)
    try:
        trusted = state.trust(shared, settings.proxy.upstream_ca)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)
        import asyncio

        from proxy.serve import serve

        source = functools.partial(config.load, file, options)
        asyncio.run(serve(settings, folder, console, trusted, source, file))
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def bind(address: Address, option: str) -> socket.socket:
    """A socket bound to `address`. Raises UserError that names the option to change."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except OSError as error:
        problem = (error.strerror or str(error)).partition(" (while")[0]
        raise UserError(f"cannot listen on {address}: {problem}; choose another with {option}") from None
