"""`sluice policy check`: what a configuration means, and what in it no longer does anything."""

import time
from collections.abc import Iterator
from pathlib import Path

from classifier.journal import Journal
from proxy import needed
from proxy.config import Settings, exceptions, load
from proxy.policy import Exemption


def check(file: Path, state: Path) -> None:
    """Print it. Raises UserError with everything that is wrong with `file`."""
    settings = load(file)
    print("\n".join([summary(file, settings), *notes(settings, state, time.time())]))


def summary(file: Path, settings: Settings) -> str:
    """The policy in a line."""
    table = settings.policy
    parts = [f"mode {settings.mode} by {settings.cause}"]
    parts += [f"{len(table.scopes)} scopes"] if table.scopes else []
    if settings.mode == "enforce" and table.enforce_percent < 100:
        parts.append(f"enforced for {table.enforce_percent:g} % of clients")
    parts += [f"{len(table.rules)} rules", f"{len(table.exceptions)} exceptions"]
    parts += [f"{len(table.evidence)} lists as evidence"] if table.evidence else []
    site = " until the site's own traffic says more" if table.budget.site else ""
    return f"{file} is fine: {', '.join(parts)}, blocks at the {table.budget.point} point{site}"


def notes(settings: Settings, state: Path, now: float) -> Iterator[str]:
    """What deserves a look: rules that are never reached, exceptions that ended or are no longer needed."""
    yield from _unreached(settings)
    exemptions = [item.exemption(number) for number, item in enumerate(settings.policy.exceptions, 1)]
    known = {need.name: need for need in _known(state)}
    for exemption in [*exemptions, *exceptions(state)]:
        if not exemption.open(now):
            yield f"exception {exemption.name!r} has expired on {_date(exemption.expires)}: remove it"
        elif (need := known.get(exemption.name)) is not None and not need.needed:
            yield f"{needed.sentence(need)}: {_advice(exemption, need)}"


def _advice(exemption: Exemption, need: needed.Need) -> str:
    retired = exemption.retires and need.samples >= needed.ENOUGH
    return "it is retired while that release serves" if retired else "consider removing it"


def _unreached(settings: Settings) -> Iterator[str]:
    """Rules behind one that fits every flow."""
    rules = [(rule.name or f"rule {number}", rule) for number, rule in enumerate(settings.policy.rules, 1)]
    fields = set(type(rules[0][1]).model_fields) - {"name", "action"} if rules else set()
    for place, (name, rule) in enumerate(rules):
        if not fields & rule.model_fields_set:
            yield from (f"rule {later!r} is never reached: {name!r} fits every flow" for later, _ in rules[place + 1 :])
            return


def _known(state: Path) -> list[needed.Need]:
    database = state / "sluice.db"
    return needed.known(Journal(database)) if database.exists() else []


def _date(moment: float | None) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment or 0))
