"""A scorer by regular expressions loses exactly the attacks whose signs a rewrite hides."""

import re
from collections.abc import Sequence
from functools import cache
from urllib.parse import quote_plus, unquote_plus

import msgspec
import numpy as np
import pytest

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import Floats
from classifier.records import FlowRecord, Label
from classifier.training.evaluation.evasions import Ablation, Evasion, measure_ablations, measure_evasions
from classifier.training.evaluation.measure import TARGETS, Example
from classifier.training.rewriting.rewrites import VARIANTS


class Signatures:
    """What many small filters are: a list of patterns over the request, decoded once, up to so many bytes."""

    def __init__(self, pattern: str, bytes_read: int = 1 << 20, passes: int = 1) -> None:
        self.name, self.release = "signatures", "r1"
        point = OperatingPoint(0.5, 0.01)
        self.points: OperatingPoints = {"http/request": {"threat": {"0.01": point, "0.0001": point}}}
        self._pattern = re.compile(pattern)
        self._bytes = bytes_read
        self._passes = passes

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        scores = [0.9 if self._pattern.search(self._read(record)) else 0.1 for record in records]
        return np.repeat(np.asarray(scores, np.float64)[:, None], len(TARGETS), axis=1)

    def _read(self, record: FlowRecord) -> str:
        headers = " ".join(f"{name}: {value}" for name, value in record.request_headers)
        found = f"{record.host} {record.path} {headers} {record.request_body.decode()}"[: self._bytes]
        for _ in range(self._passes):
            found = unquote_plus(found)
        return found


def _examples(label: Label, value: str, count: int, source: str = "made", host: str = "a.example") -> list[Example]:
    paths = [f"/shop?id={number}&q={quote_plus(value)}" for number in range(count)]
    return [Example(source, "http", FlowRecord(method="GET", host=host, path=path, label=label)) for path in paths]


EXAMPLES = _examples(Label.SQLI, "1' union select 'abc', 7", 30) + _examples(Label.BENIGN, "red shoes (wide)", 50)


@cache
def _found(pattern: str, bytes_read: int = 1 << 20, passes: int = 1) -> dict[tuple[str, str, str, str], Evasion]:
    evasions = measure_evasions(EXAMPLES, Signatures(pattern, bytes_read, passes))
    found = {(each.family, each.variant, each.label, each.at): each for each in evasions}
    assert len(found) == len(evasions)
    return found


def test_detection_is_lost_where_the_signs_are_hidden() -> None:
    found = _found(r"union select")
    hidden = found["case", "alternating", "attack", "own 0.01"]
    assert (hidden.rows, hidden.before, hidden.after, hidden.kept) == (30, 1.0, 0.0, 0.0)
    assert hidden.low == 0.0 and hidden.high is not None and 0.1 < hidden.high < 0.13  # 1 - 0.025 ** (1 / 30)
    open_ = found["junk", "digests around", "attack", "own 0.01"]
    assert (open_.before, open_.after, open_.kept, open_.high) == (1.0, 1.0, 1.0, 1.0)
    assert open_.low is not None and 0.87 < open_.low < 0.9


def test_a_filter_that_decodes_further_keeps_more() -> None:
    once, twice = _found(r"union select"), _found(r"union select", passes=2)
    key = ("percent", "specials twice", "attack", "own 0.0001")
    assert (once[key].kept, twice[key].kept) == (0.0, 1.0)


@pytest.mark.parametrize("kib", [2, 8, 15])
@pytest.mark.parametrize("place", ["query", "form", "json", "header"])
def test_padding_hides_an_attack_from_a_filter_that_reads_little(kib: int, place: str) -> None:
    short, long = _found(r"union select", bytes_read=4096), _found(r"union select")
    key = ("padding", f"{kib} KiB in the {place}", "attack", "own 0.01")
    assert short[key].before == 1.0
    assert short[key].kept == (1.0 if kib == 2 else 0.0)
    assert long[key].kept == 1.0


def test_harmless_requests_are_rewritten_too() -> None:
    found = _found(r"union select|%")
    flagged = found["percent", "specials twice", "benign", "own 0.01"]
    assert (flagged.rows, flagged.before, flagged.after, flagged.kept) == (50, 0.0, 1.0, None)
    assert ("comments", "text for spaces", "benign", "own 0.01") not in found


def test_thresholds_of_the_harmless_rows_given() -> None:
    found = _found(r"union select")
    assert found["case", "alternating", "attack", "fpr 0.01"].before == 1.0
    assert found["case", "alternating", "attack", "fpr 0.001"].after == 0.0


def test_families_are_pooled() -> None:
    found = _found(r"union select")
    parts = [
        each
        for key, each in found.items()
        if key[0] == "case" and key[1] != "all" and key[2:] == ("attack", "own 0.01")
    ]
    whole = found["case", "all", "attack", "own 0.01"]
    assert whole.rows == sum(each.rows for each in parts)


def test_every_variant_that_suits_is_tried() -> None:
    tried = {(family, variant) for family, variant, label, _ in _found("x") if label == "attack"}
    suiting = {(each.family, each.name) for each in VARIANTS if each.use == "evaluation" and Label.SQLI in each.labels}
    assert suiting <= tried
    assert {("splitting", "at commas"), ("splitting", "in comments")} <= tried
    assert not tried & {(each.family, each.name) for each in VARIANTS if each.use == "training"}


def test_sources_are_sampled_evenly_and_the_seed_decides() -> None:
    many = EXAMPLES + _examples(Label.SQLI, "1' union select 'abc', 7", 200, "other")
    system = Signatures(r"union select")
    first = measure_evasions(many, system, per_source=20)
    assert first == measure_evasions(many, system, per_source=20)
    assert {each.rows for each in first if each.variant == "alternating" and each.label == "attack"} == {40}


def test_without_attacks_there_is_nothing_to_say() -> None:
    assert measure_evasions(_examples(Label.BENIGN, "a", 5), Signatures("x")) == []
    assert measure_ablations(_examples(Label.BENIGN, "a", 5), Signatures("x")) == []


def test_a_system_without_thresholds_is_judged_by_false_positives_alone() -> None:
    system = Signatures(r"union select")
    system.points = {}
    assert {each.at for each in measure_evasions(EXAMPLES, system)} == {"fpr 0.01", "fpr 0.001"}


def test_the_progress_is_told() -> None:
    class Told(list[int]):
        def at(self, done: int) -> None:
            self.append(done)

    told = Told()
    measure_evasions(EXAMPLES, Signatures("x"), progress=told)
    assert told == sorted(told) and told[-1] > 1000


def _ablated(pattern: str) -> dict[str, Ablation]:
    hostile = _examples(Label.SQLI, "1' union select 1", 30, host="bad.example")
    fine = _examples(Label.BENIGN, "red shoes", 30, host="good.example")
    found = measure_ablations(hostile + fine, Signatures(pattern))
    return {each.name: each for each in found}


def test_a_score_of_the_path_rests_on_the_path() -> None:
    found = _ablated("union")
    areas = {name: each.auroc[0] for name, each in found.items() if each.auroc}
    assert areas == {
        "as it is": 1.0,
        "no host": 1.0,
        "no path": 0.5,
        "harmless path on hostile host": 0.5,
        "hostile path on harmless host": 1.0,
    }
    assert found["no path"].change == -0.5
    assert found["no path"].rows == 30


def test_a_score_of_the_host_rests_on_the_host() -> None:
    areas = {name: each.auroc[0] for name, each in _ablated(r"bad\.example").items() if each.auroc}
    assert areas["no host"] == areas["hostile path on harmless host"] == 0.5
    assert areas["no path"] == areas["harmless path on hostile host"] == 1.0


def test_a_source_without_harmless_flows_is_held_against_its_family() -> None:
    hostile = _examples(Label.SQLI, "1' union select 1", 30, "attacks")
    found = measure_ablations(hostile + _examples(Label.BENIGN, "red shoes", 30, "fine"), Signatures("union"))
    assert {each.source for each in found} == {"attacks"}
    assert found[0].auroc == (1.0, 1.0, 1.0)
    alone = measure_ablations(hostile, Signatures("union"))
    assert alone == []


def test_figures_survive_json() -> None:
    evasions = measure_evasions(EXAMPLES, Signatures("union"))
    ablations = measure_ablations(EXAMPLES, Signatures("union"))
    assert msgspec.json.decode(msgspec.json.encode(evasions), type=list[Evasion]) == evasions
    assert msgspec.json.decode(msgspec.json.encode(ablations), type=list[Ablation]) == ablations
