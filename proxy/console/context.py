"""What the console's handlers share."""

import functools
import secrets
from dataclasses import dataclass, field

from starlette.requests import Request

from classifier.journal import Journal
from classifier.registry import Registry
from proxy.console.changes import Changes
from proxy.console.exceptions import Exceptions
from proxy.console.history import History
from proxy.console.learning import Learning
from proxy.console.limit import Limit
from proxy.console.review import Freshener
from proxy.console.session import Sessions
from proxy.console.status import Status
from proxy.console.vault import Vault


@dataclass
class Console:
    """One console. `invitation` opens the page that chooses the first password; it is kept in memory only."""

    status: Status
    journal: Journal
    vault: Vault
    sessions: Sessions
    limit: Limit = field(default_factory=Limit)
    invitation: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @functools.cached_property
    def registry(self) -> Registry:
        """Releases."""
        return Registry(self.status.home)

    @functools.cached_property
    def exceptions(self) -> Exceptions:
        """What the console allowed."""
        return Exceptions(self.status.state)

    @functools.cached_property
    def learning(self) -> Learning:
        """Fine-tuning."""
        return Learning(self.status, self.journal)

    @functools.cached_property
    def changes(self) -> Changes:
        """Comparisons of releases."""
        return Changes(self.status, self.journal)

    @functools.cached_property
    def history(self) -> History:
        """Traffic over time."""
        return History(self.status.state / "captures")

    @functools.cached_property
    def freshener(self) -> Freshener:
        """The order of the review queue."""
        return Freshener(self.status)


def make(status: Status, journal: Journal) -> Console:
    """A console over a state directory and the proxy's own journal."""
    vault = Vault(status.state / "keys")
    return Console(status, journal, vault, Sessions(vault))


def console(request: Request) -> Console:
    """The console that answers this request."""
    found: Console = request.app.state.console
    return found
