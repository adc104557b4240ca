"""What a night does: learns for a reason, waits for a trial, promotes what has proven itself, and says so in a line."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classifier.errors import UserError
from classifier.journal import Journal
from classifier.records import FlowRecord
from classifier.registry import Registry
from classifier.stability import SCORE_BINS
from classifier.store import CaptureRow, CaptureWriter
from classifier.tallies import HOUR, SCORE, Tallies
from finetune.auto import PROVEN, SUITED, Night, auto, known
from finetune.gate import Gate
from finetune.labels import NothingToLearn
from finetune.lock import exclusive
from finetune.outcome import Options, Outcome
from harness import sluice
from models import tiny_release

NOW = time.time()
DAY = 86_400.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A site whose proxy serves a release and has captured something."""
    state = tmp_path / "state"
    registry = Registry(state)
    registry.promote(registry.publish(tiny_release(tmp_path / "made")))
    (state / "captures").mkdir()
    Journal(state / "sluice.db")
    return state


def label(state: Path, count: int, *, weight: float = 1.0, ago: float = 0.0) -> None:
    journal = Journal(state / "sluice.db")
    for number in range(count):
        journal.label(f"{ago}-{number}", "benign", weight)
        journal.write("update labels set time = ? where flow = ?", NOW - ago * DAY, f"{ago}-{number}")


def judged(state: Path, release: str, rows: int, ago: float) -> None:
    """Decisions of a release, all in one hour."""
    counts = np.bincount([3] * rows, minlength=SCORE_BINS)
    Tallies(Journal(state / "sluice.db")).add(release, {("request", SCORE): counts}, int((NOW - ago * DAY) // HOUR))


def note(state: Path, action: str, detail: str, ago: float) -> None:
    Journal(state / "sluice.db").write("insert into audit values (?,?,?)", NOW - ago * DAY, action, detail)


def audits(state: Path) -> list[tuple[str, str]]:
    return [(action, detail) for _, action, detail in Journal(state / "sluice.db").audits()]


def never(_: Options) -> Outcome:
    raise AssertionError("there was no reason to learn")


def passing(state: Path, folder: Path, seen: list[Options]) -> Callable[[Options], Outcome]:
    """A run that publishes and promotes as the pipeline does."""

    def run(options: Options) -> Outcome:
        with exclusive(options.state):
            registry = Registry(state)
            seen.append(options)
            release = registry.publish(tiny_release(folder / "tuned", weight=9.0))
            registry.promote(release, "stable" if options.rollout == "direct" else options.rollout)
            return Outcome(release, True, [], {}, {}, 1.0)

    return run


def night(state: Path, run: Callable[[Options], Outcome] = never, rollout: str = SUITED) -> Night:
    return auto(Options(state, rollout=rollout), 10.0, run)


def test_a_night_without_a_reason_says_why(state: Path) -> None:
    label(state, 3)
    found = night(state)
    assert (found.action, found.why) == ("none", "3 new labels of 10; drift is not known yet")
    assert (found.labels, found.fresh, found.outcome) == (3, 3, None)


def test_new_labels_are_learned_from(state: Path, tmp_path: Path) -> None:
    label(state, 10)
    seen: list[Options] = []
    found = night(state, passing(state, tmp_path, seen))
    assert (found.action, found.why, found.rollout) == ("learned", "10 new labels", "direct")
    assert found.release == Registry(state).resolve()
    assert [options.rollout for options in seen] == ["direct"]


def test_labels_before_the_last_run_and_guesses_are_not_new(state: Path) -> None:
    label(state, 20, ago=3.0)
    label(state, 20, ago=1.0, weight=0.3)
    note(state, "finetune", "refused by sentinels (from x)", 2.0)
    note(state, "finetune", "dry run from x", 0.5)
    facts = known(Journal(state / "sluice.db"), "x", NOW)
    assert (facts.labels, facts.fresh) == (20, 0)
    assert facts.learned == pytest.approx(2.0)
    assert night(state).action == "none"


def test_a_refusal_is_an_answer(state: Path) -> None:
    label(state, 10)
    refused = Outcome(None, False, [Gate("sentinels", False, 0.9, 0.8, 0.95, 1.0)], {}, {}, 1.0)
    found = night(state, lambda _: refused)
    assert (found.action, found.release) == ("refused", None)
    assert found.outcome is refused


def test_labels_of_flows_that_are_gone_are_no_failure(state: Path) -> None:
    label(state, 10)

    def run(_: Options) -> Outcome:
        raise NothingToLearn("no labelled flow to learn from; label some")

    found = night(state, run)
    assert (found.action, found.why) == ("none", "10 new labels, but no labelled flow to learn from; label some")


def test_without_captures_nothing_is_learned(state: Path) -> None:
    (state / "captures").rmdir()
    label(state, 10)
    assert night(state).why == "10 new labels, but no captures to learn from"


def crowd(state: Path, count: int) -> None:
    writer = CaptureWriter(state / "captures", worker="0", max_age=1e12, max_bytes=10**9)
    for number in range(count):
        assert writer.offer(CaptureRow(record=FlowRecord(id=str(number), client=f"10.0.0.{number}", time=NOW)))
    writer.close()


@pytest.mark.parametrize(
    ("clients", "decisions", "rollout"),
    [
        (40, 5000, "canary"),
        (40, 1000, "direct"),  # a canary would see 100 a day
        (20, 5000, "direct"),  # with 20 clients there may be none among the tenth
    ],
)
def test_a_canary_is_tried_where_the_traffic_can_judge_it(
    state: Path, tmp_path: Path, clients: int, decisions: int, rollout: str
) -> None:
    label(state, 10)
    crowd(state, clients)
    judged(state, Registry(state).resolve(), decisions, 0.5)
    found = night(state, passing(state, tmp_path, []))
    assert found.rollout == rollout
    assert (("auto", f"{found.release} to canary") in audits(state)) == (rollout == "canary")


@pytest.mark.parametrize("rollout", ["direct", "shadow", "canary"])
def test_a_roll_out_that_is_named_is_kept(state: Path, tmp_path: Path, rollout: str) -> None:
    label(state, 10)
    found = night(state, passing(state, tmp_path, []), rollout)
    assert Registry(state).followed("stable" if rollout == "direct" else rollout) == found.release


def on_trial(state: Path, tmp_path: Path, channel: str = "canary") -> str:
    registry = Registry(state)
    release = registry.publish(tiny_release(tmp_path / "tried", weight=9.0))
    registry.promote(release, channel)
    return release


@pytest.mark.parametrize(
    ("ago", "decisions", "said"),
    [
        (0.5, 5000, "5,000 of 1,000 decisions, 12 of 24 hours"),
        (3.0, PROVEN - 1, "999 of 1,000 decisions, 72 of 24 hours"),
    ],
)
def test_a_canary_that_has_not_proven_itself_is_waited_for(
    state: Path, tmp_path: Path, ago: float, decisions: int, said: str
) -> None:
    release = on_trial(state, tmp_path)
    label(state, 50)
    note(state, "auto", f"{release} to canary", ago)
    judged(state, release, decisions, 0.1)
    found = night(state)
    assert (found.action, found.why) == ("waiting", f"{release} is on trial as a canary: {said}")
    assert Registry(state).followed("canary") == release


def test_a_canary_that_has_proven_itself_serves_everybody(state: Path, tmp_path: Path) -> None:
    release = on_trial(state, tmp_path)
    note(state, "auto", f"{release} to canary", 1.2)
    judged(state, release, PROVEN, 0.5)
    judged(state, release, 999, 2.0)  # an earlier trial does not count
    found = night(state)
    assert (found.action, found.release) == ("promoted", release)
    assert Registry(state).resolve() == release
    assert Registry(state).followed("canary") is None
    assert audits(state)[0] == ("auto", f"{release} to stable: nothing spoke against it in 1000 decisions as a canary")


def test_a_canary_that_was_withdrawn_is_not_promoted(state: Path, tmp_path: Path) -> None:
    release = on_trial(state, tmp_path)
    note(state, "auto", f"{release} to canary", 1.2)
    judged(state, release, PROVEN, 0.5)
    Registry(state).withdraw("canary")
    assert night(state).action == "none"
    assert Registry(state).resolve() != release


def test_somebody_elses_trial_is_left_alone(state: Path, tmp_path: Path) -> None:
    release = on_trial(state, tmp_path)
    judged(state, release, 9 * PROVEN, 0.5)
    label(state, 50)
    found = night(state)
    assert found.action == "waiting" and "by hand" in found.why and f"model promote {release}" in found.why
    assert Registry(state).followed("canary") == release


def test_a_shadow_is_replaced_by_nobody(state: Path, tmp_path: Path) -> None:
    release = on_trial(state, tmp_path, "shadow")
    label(state, 50)
    assert night(state, never, "shadow").why == f"{release} is on trial as a shadow: promote or withdraw it first"
    assert night(state, passing(state, tmp_path, [])).action == "learned", "it is in no other roll-out's way"


def test_while_another_run_is_at_work_it_waits_for_the_next_night(state: Path) -> None:
    label(state, 50)
    with exclusive(state):
        found = night(state)
    assert found.action == "waiting" and "another fine-tuning run is at work" in found.why


def test_a_state_that_never_served_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no sluice\.db"):
        night(tmp_path)


def test_from_outside_nothing_to_do_exits_with_0(state: Path) -> None:
    done = sluice("finetune", "auto", "--state", str(state))
    assert (done.returncode, done.stdout) == (0, "none: no flow is labelled\n"), done.stderr
    found = json.loads(sluice("finetune", "auto", "--state", str(state), "--json").stdout)
    assert found.keys() >= {"action", "why", "labels", "fresh", "psi", "rollout", "release", "outcome"}
    wrong = sluice("finetune", "auto", "--state", str(state), "--rollout", "slowly")
    assert wrong.returncode == 2 and "one of auto, direct, shadow, canary" in wrong.stderr


def test_it_steps_back_behind_everybody_else() -> None:
    pid = os.fork()
    if pid == 0:
        from finetune.auto import step_back

        step_back()
        idle = not hasattr(os, "SCHED_IDLE") or os.sched_getscheduler(0) == os.SCHED_IDLE
        os._exit(0 if idle and os.nice(0) == 19 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
