"""A flow as people read it: its address, safe for a terminal, and the spans that carried its score."""

from collections.abc import Callable

from classifier.errors import UserError
from classifier.explain import Explanation, explain
from classifier.importers.address import PORTS
from classifier.journal import Event
from classifier.records import LABELS, FlowRecord, Label
from classifier.scorer import BadScore, Scorer


def url(record: FlowRecord) -> str:
    """The address of a flow; the port where the scheme does not say it."""
    host = f"[{record.site}]" if ":" in record.site else record.site
    port = f":{record.port}" if record.port and record.port != PORTS.get(record.scheme) else ""
    return f"{record.scheme}://{host}{port}{record.path}" if record.scheme else f"{host}{port}{record.path}"


def printable(content: str) -> str:
    """The text without what a terminal would act on."""
    return "".join([sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in content])


def subject(event: Event) -> Label | None:
    """The label whose threshold decided; None for the threat. The reason begins with it (`classifier.thresholds`)."""
    name = event.reason.partition(" ")[0]
    return Label(name) if name in LABELS else None


def carried(event: Event, load: Callable[[str], Scorer]) -> Explanation | str:
    """What carried the score of an event, asked of the release that judged; a sentence where that cannot be told.

    `load` gives the scorer of a release and may raise UserError.
    """
    if event.verdict is None:
        return "the flow was not judged"
    try:
        return explain(event.record, load(event.release), subject(event))
    except (UserError, BadScore) as error:
        return f"the release that judged cannot be asked again: {error}"
