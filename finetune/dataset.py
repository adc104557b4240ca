"""From captured flows and people's words to examples: views, near-duplicates, caps, and a split. Pure.

    flows + words ──▶ candidates ──▶ thinned, capped ──▶ judged by the incumbent ──▶ Split(train, holdout)

1. A flow gives a request view and, once it was answered, a response view: the proxy judges both.
2. Examples of one skeleton (site, method, path shape, parameter names) are near-duplicates and stay on one side.
3. The later groups are held out: tomorrow's traffic is what the candidate will meet.
4. An unlabelled flow that the incumbent finds harmless is weakly benign: low weight, capped by client and host; more
   weight where its host has long been known to many. What a list says of a host is as weak, and capped too.
"""

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import unquote

from classifier.features import Features
from classifier.records import HARMLESS, FlowRecord, Label, phases
from finetune.labels import ASSUMED, TIME, WEAK, WEIGHTS, Word

CLIENTS, DAYS = 3, 3
"""A host that so many clients asked on so many days is familiar."""
PER_GROUP: Final = 15
"""Unlabelled rows kept of one skeleton: a busy endpoint says the same thing over and over."""
PER_CLIENT: Final = 600
PER_HOST: Final = 1200
TOTAL: Final = 3000
HOLDOUT: Final = 0.3
"""Share of the rows held out, newest groups first."""
JUDGED: Final = 3
"""The influence of one client is judged when at least so many are seen."""
FEW: Final = 4
"""With fewer labelled groups than this all of them are trained on: there is too little to hold any out."""


class Example(NamedTuple):
    """One view of one flow, as the model sees it. `record` is masked, `weight` 0…1."""

    record: FlowRecord
    features: Features
    label: Label
    weight: float
    origin: str
    group: str
    threat: float
    """What the incumbent says."""

    @property
    def weak(self) -> bool:
        """Nobody labelled it: its label is assumed, or a list's word about its host."""
        return self.origin in ASSUMED


class Split(NamedTuple):
    """Examples to learn from and examples to judge by; no group is in both."""

    train: list[Example]
    holdout: list[Example]


class Candidate(NamedTuple):
    """A view before it is turned into features; `word` is None when nobody labelled the flow."""

    record: FlowRecord
    word: Word | None
    group: str


def skeleton(record: FlowRecord) -> str:
    """Names a flow's near-duplicates: 16 hex digits over site, method, path shape and parameter names."""
    path, _, query = record.path.partition("?")
    names = sorted({part.partition("=")[0] for part in query.split("&")} | _body_names(record))
    parts = (record.kind, record.site.lower(), record.method, _shape(path), " ".join(names)[:300], record.qtype)
    return sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def familiar(records: Iterable[FlowRecord], words: Mapping[str, Word]) -> set[str]:
    """Hosts that `CLIENTS` clients or more asked on `DAYS` days or more (UTC), and of which nobody says ill."""
    clients: dict[str, set[str]] = {}
    days: dict[str, set[int]] = {}
    infamous: set[str] = set()
    for record in records:
        clients.setdefault(record.site, set()).add(record.client)
        days.setdefault(record.site, set()).add(int(record.time // 86_400))
        word = words.get(record.id)
        if word is not None and word.label not in HARMLESS:
            infamous.add(record.site)
    known = {host for host in clients if len(clients[host]) >= CLIENTS and len(days[host]) >= DAYS}
    return known - infamous


def thin(records: Iterable[FlowRecord], words: Mapping[str, Word]) -> list[Candidate]:
    """Every labelled flow and the newest unlabelled ones within all caps, as views; newest first."""
    kept: list[Candidate] = []
    groups: Counter[str] = Counter()
    clients: Counter[str] = Counter()
    hosts: Counter[str] = Counter()
    for record in sorted(records, key=lambda record: -record.time):
        word, group = words.get(record.id), skeleton(record)
        if word is None or word.origin in ASSUMED:
            full = (
                groups[group] >= PER_GROUP
                or clients[record.client] >= PER_CLIENT
                or hosts[record.site] >= PER_HOST
                or groups.total() >= TOTAL
            )
            if full:
                continue
            groups[group] += 1
            clients[record.client] += 1
            hosts[record.site] += 1
        kept += [Candidate(view, word, group) for view in phases(record)]
    return kept


def rest(records: Iterable[FlowRecord], words: Mapping[str, Word], kept: Iterable[Candidate]) -> list[FlowRecord]:
    """Unlabelled flows that the caps left out, newest first."""
    taken = {candidate.record.id for candidate in kept}
    left = [record for record in records if record.id not in taken and record.id not in words]
    return sorted(left, key=lambda record: -record.time)


def doubtful(
    candidates: Sequence[Candidate], features: Sequence[Features], threats: Sequence[float], alarms: Sequence[bool]
) -> list[Example]:
    """Views that raised an alarm and that nobody labelled: harmless or not, nobody knows."""
    return [
        Example(candidate.record, row, Label.BENIGN, 0.0, WEAK, candidate.group, threat)
        for candidate, row, threat, alarm in zip(candidates, features, threats, alarms, strict=True)
        if alarm and candidate.word is None
    ]


def examples(
    candidates: Sequence[Candidate],
    features: Sequence[Features],
    threats: Sequence[float],
    alarms: Sequence[bool],
    known: Container[str] = (),
) -> list[Example]:
    """Candidates with their features and the incumbent's threat, exact duplicates once; `known` are familiar hosts.

    An unlabelled flow counts as weakly benign unless the incumbent raises an alarm over a view of it (its entry in
    `alarms`) or its group holds a labelled threat; else it is left out. A host over which it raised an alarm is not
    familiar. Of duplicates a labelled one wins, then the heaviest.
    """
    judged = list(zip(candidates, features, threats, alarms, strict=True))
    suspects = {candidate.record.id for candidate, _, _, alarm in judged if alarm}
    alarming = {candidate.record.site for candidate, _, _, alarm in judged if alarm}
    hostile = {candidate.group for candidate in candidates if candidate.word and candidate.word.label not in HARMLESS}
    found: dict[str, Example] = {}
    for candidate, row, threat, _ in judged:
        site = candidate.record.site
        origin = TIME if site in known and site not in alarming else WEAK
        word = candidate.word or Word(label=Label.BENIGN, weight=WEIGHTS[origin], origin=origin)
        if candidate.word is None and (candidate.record.id in suspects or candidate.group in hostile):
            continue
        example = Example(candidate.record, row, word.label, word.weight, word.origin, candidate.group, threat)
        key = sha256(row.tokens.tobytes() + row.numbers.tobytes()).hexdigest()
        other = found.get(key)
        if other is None or (other.weak, -other.weight) > (example.weak, -example.weight):
            found[key] = example
    return list(found.values())


def split(rows: Sequence[Example]) -> Split:
    """Hold out the newest groups. Labelled groups are split by themselves, and only when there are enough of them."""
    labelled = {row.group for row in rows if not row.weak}
    held: set[str] = set()
    for known in (True, False):
        newest: dict[str, float] = {}
        for row in rows:
            if (row.group in labelled) == known:
                newest[row.group] = max(newest.get(row.group, 0.0), row.record.time)
        if len(newest) >= FEW:
            order = sorted(newest, key=lambda group: (-newest[group], group))
            held |= set(order[: round(HOLDOUT * len(order))])
    return Split([row for row in rows if row.group not in held], [row for row in rows if row.group in held])


def balance(rows: Sequence[Example], exempt: frozenset[str], share: float) -> list[Example]:
    """Scale weights so that no client holds more than `share` of the weight that is not exempt (3 clients or more)."""
    weights = by_client(rows, exempt)
    if len(weights) < JUDGED:
        return list(rows)
    client = max(weights, key=weights.__getitem__)
    rest = sum(weights.values()) - weights[client]
    factor = min(1.0, rest * share / (1.0 - share) / weights[client]) if weights[client] > 0 else 1.0
    return [
        row._replace(weight=row.weight * factor) if row.record.client == client and row.origin not in exempt else row
        for row in rows
    ]


def influence(rows: Sequence[Example], exempt: frozenset[str]) -> tuple[float, int]:
    """The largest share of the weight that one client holds, and how many clients there are."""
    weights = by_client(rows, exempt)
    total = sum(weights.values())
    return (max(weights.values()) / total if total > 0 else 0.0), len(weights)


def by_client(rows: Sequence[Example], exempt: frozenset[str]) -> dict[str, float]:
    """The weight of each client's rows that are not exempt."""
    weights: dict[str, float] = {}
    for row in rows:
        if row.origin not in exempt:
            weights[row.record.client] = weights.get(row.record.client, 0.0) + row.weight
    return weights


_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX: Final = re.compile(r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}\b")
_NUMBER: Final = re.compile(r"\d+")
_JSON_NAME: Final = re.compile(rb'"([A-Za-z_][\w.-]{0,40})"\s*:')
_FORM_NAME: Final = re.compile(rb"(?:^|&)([\w.\[\]-]{1,40})=")


def _shape(path: str) -> str:
    """A path with what changes from call to call folded away."""
    folded = _NUMBER.sub("0", _HEX.sub("h", _UUID.sub("u", unquote(path[:500]))))
    return "/".join(folded.split("/")[:8])


def _body_names(record: FlowRecord) -> set[str]:
    body = record.request_body[:2048]
    pattern = _JSON_NAME if body[:1] in (b"{", b"[") else _FORM_NAME
    return {name.decode("ascii", "replace") for name in pattern.findall(body)}
