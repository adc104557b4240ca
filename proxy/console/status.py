"""What the admin port knows of the proxy, and the way back to it."""

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

START: Final = ("the model is not loaded", "the proxy does not listen")

Reload = Callable[[], Awaitable[tuple[Any, str]]]


@dataclass
class Status:
    """`waiting` are the reasons why the proxy is not ready; empty when it is.

    `ca` is the certificate that clients must trust, `state` the state directory, `home` the one of the releases.
    """

    ca: Path
    mode: str
    registry: CollectorRegistry
    state: Path
    home: Path
    channel: str = "stable"
    config: Path | None = None
    """The configuration file that `sluice run` was given."""
    cause: str = ""
    """Where the mode comes from."""
    listen: str = ""
    """Where clients come to, HOST:PORT."""
    place: str = ""
    """The same for people."""
    release: str = ""
    provider: str = ""
    waiting: list[str] = field(default_factory=lambda: [*START])
    reload: Reload | None = None
    """Look at the release channel again: what came of it and a line about it."""
    apply: Callable[[], Awaitable[None]] | None = None
    """Build the policy anew, after an exception has come or gone. Raises UserError."""
    outgoing: Container[tuple[str, int]] = ()
    """Ends of the proxy's own connections to its own ports."""
