"""Whose flows a canary judges, and what sends it home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy import Decision
from proxy.rollout import LEAST, Tally, chosen, more_often, objection


def test_the_share_of_the_clients_is_about_the_percentage() -> None:
    clients = [f"10.0.{number // 256}.{number % 256}" for number in range(4000)]
    assert 320 < sum(chosen(client, "20260101-aaaaaaaaaaaa", 10.0) for client in clients) < 480
    assert not any(chosen(client, "r", 0.0) for client in clients)
    assert all(chosen(client, "r", 100.0) for client in clients)


def test_a_client_stays_on_its_side_and_each_release_has_other_clients() -> None:
    clients = [f"10.0.0.{number}" for number in range(250)]
    one, again, other = ([chosen(client, release, 50.0) for client in clients] for release in ("a", "a", "b"))
    assert one == again
    assert one != other


def test_a_larger_share_keeps_the_clients_of_a_smaller_one() -> None:
    clients = [f"10.0.0.{number}" for number in range(250)]
    assert all(chosen(client, "a", 40.0) for client in clients if chosen(client, "a", 20.0))


@pytest.mark.parametrize(
    ("canary", "control", "said"),
    [
        (Tally(1000, blocks=2), Tally(9000, blocks=18), ""),
        (Tally(1000, blocks=30), Tally(9000, blocks=18), "blocks: 30 of 1000 decisions of the canary, 18 of 9000"),
        (Tally(1000, blocks=0), Tally(9000, blocks=400), ""),  # fewer blocks are no reason
        (Tally(1000, failures=12), Tally(9000, failures=0), "failures: 12 of 1000"),
        (Tally(1000, seconds=1.0), Tally(9000, seconds=4.5), "scoring takes 2.0 times as long"),
        (Tally(1000, seconds=1.0), Tally(9000, seconds=8.0), ""),
        (Tally(LEAST - 1, blocks=LEAST - 1), Tally(9000), ""),  # too few flows to say
        (Tally(1000, blocks=1000), Tally(LEAST - 1), ""),
    ],
)
def test_a_canary_goes_when_it_is_worse_than_chance_explains(canary: Tally, control: Tally, said: str) -> None:
    assert objection(canary, control).startswith(said) if said else objection(canary, control) == ""


def test_a_decision_is_counted_whether_or_not_it_is_enforced() -> None:
    tally = Tally()
    for action in ("allow", "flag", "block"):
        tally.add(Decision(action, False, ""), 0.5, failed=action == "allow")
    assert tally == Tally(3, 1, 1, 1.5)


@pytest.mark.parametrize(
    ("counts", "value"),
    [
        ((3, 3, 0, 3), 0.05),  # 1 / C(6, 3)
        ((0, 5, 3, 5), 1.0),
        ((1, 2, 0, 2), 0.5),
        ((8, 10, 1, 10), 0.0027),  # scipy.stats.fisher_exact([[8, 2], [1, 9]], "greater")
    ],
)
def test_fishers_exact_test(counts: tuple[int, int, int, int], value: float) -> None:
    assert more_often(*counts) == pytest.approx(value, abs=5e-5)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_a_p_value_is_one(flows: int, others: int, data: st.DataObject) -> None:
    ours, theirs = data.draw(st.integers(0, flows)), data.draw(st.integers(0, others))
    assert 0.0 <= more_often(ours, flows, theirs, others) <= 1.0
