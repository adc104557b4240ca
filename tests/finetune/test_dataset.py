from collections.abc import Sequence

import msgspec
import pytest

from classifier.features import extract
from classifier.records import FlowRecord, Label
from finetune import dataset
from finetune.dataset import (
    Example,
    balance,
    doubtful,
    examples,
    familiar,
    influence,
    rest,
    skeleton,
    split,
    thin,
)
from finetune.labels import EXEMPT, Word

BENIGN = Word(label=Label.BENIGN, origin="admin")


def flow(name: str, path: str = "/", *, time: float = 0.0, client: str = "c", status: int = 0) -> FlowRecord:
    return FlowRecord(
        id=name, host="site.example", method="GET", path=path, time=time, client=client, status=status,
        phase="response" if status else "request", response_body=b"hello" if status else b"",
    )  # fmt: skip


def example(group: str, *, time: float = 0.0, origin: str = "weak", client: str = "c", weight: float = 1.0) -> Example:
    record = flow(f"{group} {time}", time=time, client=client)
    return Example(record, extract(record), Label.BENIGN, weight, origin, group, 0.0)


def judged(records: Sequence[FlowRecord], words: dict[str, Word], threats: dict[str, float]) -> list[Example]:
    candidates = thin(records, words)
    scores = [threats.get(candidate.record.id, 0.1) for candidate in candidates]
    rows = [extract(candidate.record) for candidate in candidates]
    return examples(candidates, rows, scores, [score >= 0.5 for score in scores])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/item/17?id=3", "/item/42?id=x", True),
        ("/item/17?id=3&a=1", "/item/17?a=2&id=9", True),
        ("/o/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "/o/9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", True),
        ("/o/0123456789abcdef", "/o/fedcba9876543210", True),
        ("/item/17?id=3", "/item/17?name=3", False),
        ("/item/17", "/basket/17", False),
    ],
)
def test_a_skeleton_folds_away_what_changes_from_call_to_call(one: str, other: str, same: bool) -> None:
    assert (skeleton(flow("a", one)) == skeleton(flow("b", other))) is same


def test_a_skeleton_reads_the_names_in_a_body() -> None:
    def posted(body: bytes) -> str:
        return skeleton(FlowRecord(method="POST", path="/p", request_body=body))

    assert posted(b'{"a": 1, "b": "x"}') == posted(b'{"b": "y", "a": 2}') != posted(b'{"c": 1}')
    assert posted(b"a=1&b=2") == posted(b"b=3&a=4") != posted(b"a=1")


def test_every_labelled_flow_is_kept_and_the_newest_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PER_GROUP", 2)
    records = [flow(str(time), f"/?n={time}", time=time) for time in range(6)]
    kept = thin(records, {"0": BENIGN})
    assert [candidate.record.id for candidate in kept] == ["5", "4", "0"]


@pytest.mark.parametrize("cap", ["PER_CLIENT", "PER_HOST", "TOTAL"])
def test_unlabelled_flows_are_capped(monkeypatch: pytest.MonkeyPatch, cap: str) -> None:
    monkeypatch.setattr(dataset, cap, 3)
    assert len(thin([flow(str(n), f"/{'x' * n}") for n in range(9)], {})) == 3


def test_unlabelled_flows_are_weakly_benign_unless_the_incumbent_would_flag_them() -> None:
    found = judged([flow("calm", "/a"), flow("loud", "/b"), flow("told", "/c")], {"told": BENIGN}, {"loud": 0.9})
    assert {row.record.id: (row.label, row.origin, row.weight) for row in found} == {
        "calm": (Label.BENIGN, "weak", 0.3),
        "told": (Label.BENIGN, "admin", 1.0),
    }


@pytest.mark.parametrize(
    ("clients", "days", "said", "known"),
    [
        (3, 3, None, True),
        (2, 3, None, False),
        (3, 2, None, False),
        (3, 3, Label.C2, False),
        (3, 3, Label.TRACKER, True),
    ],
)
def test_a_host_is_familiar_when_many_clients_asked_it_for_days_and_nobody_says_ill(
    clients: int, days: int, said: Label | None, known: bool
) -> None:
    records = [
        flow(f"{client} {day}", time=86_400.0 * day, client=str(client))
        for client in range(clients)
        for day in range(days)
    ]
    words = {} if said is None else {"0 0": Word(label=said)}
    assert familiar(records, words) == ({"site.example"} if known else set())


def test_flows_of_a_familiar_host_weigh_more_unless_it_raised_an_alarm() -> None:
    calm, loud = flow("calm", "/a"), msgspec.structs.replace(flow("loud", "/b"), host="loud.example")
    other = msgspec.structs.replace(flow("other", "/c"), host="loud.example")
    candidates = thin([calm, loud, other], {})
    alarms = [candidate.record.id == "loud" for candidate in candidates]
    rows = [extract(candidate.record) for candidate in candidates]
    found = examples(candidates, rows, [0.0] * 3, alarms, {"site.example", "loud.example"})
    assert {row.record.id: (row.origin, row.weight) for row in found} == {"calm": ("time", 0.5), "other": ("weak", 0.3)}


def test_flows_that_a_list_names_are_capped_like_unlabelled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PER_HOST", 3)
    words = {str(n): Word(label=Label.TRACKER, weight=0.5, origin="list") for n in range(9)}
    assert len(thin([flow(str(n), f"/{'x' * n}") for n in range(9)], words)) == 3


def test_a_flow_with_one_suspicious_view_gives_no_weak_example() -> None:
    candidates = thin([flow("a", status=200)], {})
    rows = [extract(candidate.record) for candidate in candidates]
    assert examples(candidates, rows, [0.9, 0.1], [True, False]) == []


def test_near_duplicates_of_a_labelled_attack_are_not_weakly_benign() -> None:
    words = {"attack": Word(label=Label.SQLI)}
    found = judged([flow("attack", "/a?q=1"), flow("like", "/a?q=2"), flow("other", "/b")], words, {})
    assert [row.record.id for row in found] == ["attack", "other"]


def test_exact_duplicates_count_once_and_the_labelled_one_stays() -> None:
    found = judged([flow("a", time=1), flow("b", time=2), flow("c", time=3)], {"a": BENIGN}, {})
    assert [(row.record.id, row.weak) for row in found] == [("a", False)]


def test_the_newest_groups_are_held_out_whole() -> None:
    rows = [example(f"g{number}", time=number + 10 * part) for number in range(10) for part in (0, 1)]
    train, holdout = split(rows)
    assert {row.group for row in holdout} == {"g7", "g8", "g9"}
    assert not {row.group for row in train} & {row.group for row in holdout}
    assert len(train) + len(holdout) == len(rows)


def test_few_labelled_groups_are_all_learned_from() -> None:
    rows = [example(f"l{number}", origin="admin") for number in range(3)]
    rows += [example(f"w{number}", time=number) for number in range(10)]
    train, holdout = split(rows)
    assert sum(not row.weak for row in train) == 3
    assert len(holdout) == 3


def test_a_group_with_a_labelled_row_follows_it() -> None:
    rows = [example("g", origin="admin", time=1), *(example(f"g{'x' * (n == 0)}", time=99) for n in range(2))]
    assert split(rows).holdout == []


def test_no_client_holds_more_than_its_share() -> None:
    rows = [example(str(n), client="loud") for n in range(20)]
    rows += [example("x", client="a"), example("y", client="b"), example("z", client="loud", origin="admin")]
    assert influence(rows, EXEMPT) == (20 / 22, 3)
    levelled = balance(rows, EXEMPT, 0.5)
    assert influence(levelled, EXEMPT)[0] == pytest.approx(0.5)
    assert levelled[-1].weight == 1.0


def test_two_clients_are_left_alone() -> None:
    rows = [example("g", client="a"), example("h", client="a"), example("i", client="b")]
    assert balance(rows, EXEMPT, 0.5) == rows


def test_what_the_caps_left_out_is_spare_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PER_CLIENT", 2)
    records = [flow(f"{n}", f"/{'abcdef'[n]}", time=float(n)) for n in range(6)]
    kept = thin(records, {"0": BENIGN})
    assert [record.id for record in rest(records, {"0": BENIGN}, kept)] == ["3", "2", "1"]


def test_one_busy_client_cannot_crowd_out_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PER_CLIENT", 10)
    monkeypatch.setattr(dataset, "TOTAL", 30)
    loud = [flow(f"loud-{n}", f"/loud/x{n}", time=100.0 + n, client="loud") for n in range(100)]
    quiet = [flow(f"quiet-{n}", f"/quiet/y{n}", time=float(n), client=f"q{n}") for n in range(10)]
    kept = [candidate.record.client for candidate in thin([*loud, *quiet], {})]
    assert kept.count("loud") == 10 and len(kept) == 20


def test_alarms_that_nobody_labelled_are_doubtful() -> None:
    candidates = thin([flow("a", "/a"), flow("b", "/b"), flow("c", "/c")], {"a": BENIGN})
    rows = [extract(candidate.record) for candidate in candidates]
    alarms = [candidate.record.id in "ab" for candidate in candidates]
    assert [row.record.id for row in doubtful(candidates, rows, [0.9] * 3, alarms)] == ["b"]
