"""What an interrupted run leaves, and who goes on with it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from classifier.records import FlowRecord, Label
from classifier.training.fit import FitReport
from finetune.labels import Word
from finetune.site import Chosen
from finetune.work import Work

FLOWS = Chosen([FlowRecord(id="a", request_body=b"\x00\xff")], {"a": Word(label=Label.BENIGN)})
OTHER = Chosen([], {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "finetune" / "work"


def test_the_same_inputs_go_on_with_the_flows_chosen_then(folder: Path) -> None:
    assert Work(folder, {"seed": 0}).chosen(lambda: FLOWS) == FLOWS
    again = Work(folder, {"seed": 0})
    assert again.resumed and again.chosen(lambda: OTHER) == FLOWS


def test_other_inputs_begin_anew_and_remove_what_was_left(folder: Path) -> None:
    Work(folder, {"seed": 0}).chosen(lambda: FLOWS)
    other = Work(folder, {"seed": 1})
    assert not other.resumed and not folder.exists()
    assert other.chosen(lambda: OTHER) == OTHER


@pytest.mark.parametrize("name", ["key", "chosen.msgpack"])
def test_a_torn_file_begins_anew(folder: Path, name: str) -> None:
    Work(folder, 0).chosen(lambda: FLOWS)
    (folder / name).write_bytes(b"\xc1")
    assert Work(folder, 0).chosen(lambda: OTHER) == OTHER


def test_a_stage_that_is_through_is_not_taught_again(folder: Path) -> None:
    work, report = Work(folder, 0), FitReport(3, 0.5, 1.0, 6)
    work.chosen(lambda: FLOWS)
    network, fresh = nn.Linear(2, 2), nn.Linear(2, 2)
    assert work.restored(0, fresh) is None
    work.done(0, network, report)
    assert work.restored(0, fresh) == report
    assert torch.equal(fresh.weight, network.weight)
    assert work.checkpoint(1).parent == folder


def test_flows_are_for_their_owner_only(folder: Path) -> None:
    Work(folder, 0).chosen(lambda: FLOWS)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "chosen.msgpack").stat().st_mode & 0o777 == 0o600
    Work(folder, 0).clear()
    assert not folder.exists()
