"""Of many captured flows the newest are read, each once and at its last phase, and nobody crowds out the rest."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.latest import Share, choose
from classifier.records import FlowRecord, Phase
from classifier.rows import CaptureRow, encode
from classifier.segments import Stream

Row = tuple[str, Phase, float]


def write(folder: Path, *rows: CaptureRow) -> Path:
    stream = Stream(folder)
    stream.append(encode(rows))
    stream.seal()
    return stream.path.with_suffix(".parquet")


def row(name: str, time: float, phase: Phase = "request", event: str = "", **record: str) -> CaptureRow:
    return CaptureRow(record=FlowRecord(id=name, time=time, phase=phase, **record), event=event)  # type: ignore[arg-type]


def chosen(files: list[Path], share: Share | None = None, named: frozenset[str] = frozenset()) -> set[tuple[int, int]]:
    found = choose(files, None, [], share, named)
    return {(number, int(place)) for number, places in found.items() for place in places}


IDS = st.sampled_from("abcd") | st.just("")
ROWS = st.tuples(IDS, st.sampled_from(["connect", "request", "response"]), st.floats(0, 9))


@settings(max_examples=40, deadline=None)
@given(content=st.lists(st.lists(ROWS, min_size=1, max_size=8), max_size=3))
def test_each_flow_is_read_once_at_its_last_phase(
    tmp_path_factory: pytest.TempPathFactory, content: list[list[Row]]
) -> None:
    folder = tmp_path_factory.mktemp("latest")
    files = [write(folder, *(row(name, time, phase) for name, phase, time in part)) for part in content]
    order = {"connect": 0, "request": 1, "response": 2}
    last: dict[str, tuple[int, float, int, int]] = {}
    nameless: set[tuple[int, int]] = set()
    for number, part in enumerate(content):
        for place, (name, phase, time) in enumerate(part):
            if name:
                last[name] = max(last.get(name, (-1, 0.0, 0, 0)), (order[phase], time, number, place))
            else:
                nameless.add((number, place))
    assert chosen(files) == nameless | {(number, place) for _, _, number, place in last.values()}


def test_the_newest_are_taken_wherever_they_stand_and_the_named_always(tmp_path: Path) -> None:
    files = [
        write(tmp_path, row("a", 9.0), row("b", 1.0), row("c", 2.0, event="e")),
        write(tmp_path, row("d", 8.0), row("f", 3.0)),
    ]
    assert chosen(files, Share(2, 99, 99)) == {(0, 0), (1, 0)}
    assert chosen(files, Share(2, 99, 99), frozenset({"b", "e"})) == {(0, 0), (1, 0), (0, 1), (0, 2)}
    assert chosen(files, Share(0, 99, 99)) == set()


def test_what_was_named_at_an_earlier_phase_is_named(tmp_path: Path) -> None:
    files = [write(tmp_path, row("a", 1.0, event="e"), row("a", 2.0, "response"), row("b", 3.0))]
    assert chosen(files, Share(0, 9, 9), frozenset({"e"})) == {(0, 1)}


def test_a_busy_client_or_site_does_not_crowd_out_the_rest(tmp_path: Path) -> None:
    busy = [row(f"busy{n}", 100.0 + n, client="10.0.0.1", host="busy.example") for n in range(20)]
    rest = [row(f"rest{n}", float(n), client=f"10.0.1.{n}", host=f"h{n % 3}.example") for n in range(6)]
    files = [write(tmp_path, *busy, *rest)]
    places = chosen(files, Share(10, client=3, site=2))
    assert Counter(place < 20 for _, place in places) == {True: 4, False: 6}
    assert {place for _, place in places if place < 20} == {16, 17, 18, 19}  # the newest of the busy one
    only = chosen(files, Share(5, client=3, site=2))
    assert Counter(place < 20 for _, place in only) == {True: 2, False: 3}


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(b"PAR1 and no more")
    bad: list[Path] = []
    found = choose([torn, write(tmp_path, row("a", 1.0))], None, bad)
    assert (bad, {number: list(places) for number, places in found.items()}) == ([torn], {1: [0]})
    assert choose([], None, []) == {}
