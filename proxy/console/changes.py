"""What another release would change: `sluice model diff --json` beside the proxy, its progress, and what it found.

Both releases judge the captured flows anew, which takes a while; what was found is kept in the state.
"""

import time
from typing import Final

import msgspec

from classifier.errors import UserError
from classifier.journal import Journal
from proxy.console import tool
from proxy.console.kept import Kept
from proxy.console.status import Status
from proxy.differences import Change, Difference

LISTED: Final = 500
"""Changed flows that are kept of a comparison; `sluice model diff --json` has them all."""


class Comparison(tool.Work, kw_only=True):
    """Two releases on the captured flows. `state`: running, done, failed. Times are Unix seconds, `ended` 0 meanwhile.

    `found` holds at most `LISTED` changes, the strictest first; its `moves` count all of them.
    """

    before: str
    after: str
    step: str = "Loading both releases"
    found: Difference | None = None


class Changes:
    """Comparisons, one under way at most. Reads the journal at first."""

    def __init__(self, status: Status, journal: Journal) -> None:
        self._status = status
        self._kept = Kept(journal, "diff", Comparison)
        self._runner = tool.Runner(_end, self._keep)
        self.running: Comparison | None = None

    def of(self, before: str, after: str) -> Comparison | None:
        """The one under way, else the latest that is kept. Reads the journal; not for an event loop."""
        if self.running is not None and (self.running.before, self.running.after) == (before, after):
            return self.running
        return next((each for each in self._kept.latest() if (each.before, each.after) == (before, after)), None)

    async def start(self, before: str, after: str) -> Comparison:
        """Compare. Raises UserError while another comparison is under way."""
        if self.running is not None:
            raise UserError(f"{self.running.before} and {self.running.after} are being compared; wait for that to end")
        work = self.running = Comparison(before=before, after=after, started=time.time())
        named = ["--config", str(self._status.config)] if self._status.config else []
        where = ["--state", str(self._status.state), *named]
        try:
            await self._runner.start(work, "model", "diff", "--json", *where, "--", before, after)
        except OSError as error:
            self.running = None
            raise UserError(error.strerror or str(error)) from None
        return work

    async def stop(self) -> None:
        """End a comparison that is under way."""
        await self._runner.stop()

    def _keep(self, work: Comparison) -> None:
        try:
            self._kept.put(work)
        finally:
            self.running = None


def _end(work: Comparison, done: tool.Done) -> None:
    try:
        found = msgspec.json.decode(done.out, type=Difference)
    except msgspec.MsgspecError:
        work.state, work.problem = "failed", "it was stopped" if done.code < 0 else done.problem
        return
    changes: list[Change] = found.changes[:LISTED]
    work.state, work.found = "done", msgspec.structs.replace(found, changes=changes)
