import pytest
import torch

from classifier.training.fit import Group
from classifier.training.network import Config, Network
from finetune.strategies import stages
from finetune.strategies.stages import DECAY, GRADUAL, TOP_RATE, chosen, head, layered, uniform


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(Config(buckets=64, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=8))


def moving(groups: list[Group]) -> list[int]:
    return [id(parameter) for group in groups for parameter in group.parameters]


def test_feature_based_moves_the_head_only(network: Network) -> None:
    (stage,) = stages.FEATURE_BASED
    assert set(moving(stage.groups(network))) == {id(p) for p in network.head.parameters()}
    assert head(network)[0].rate > TOP_RATE


def test_everything_but_the_temperatures_moves_once(network: Network) -> None:
    free = {id(p) for p in network.parameters() if p.requires_grad}
    for groups in (layered(network), uniform(network)):
        assert len(moving(groups)) == len(set(moving(groups)))
        assert set(moving(groups)) == free


def test_rates_fall_towards_the_input(network: Network) -> None:
    assert [group.rate for group in layered(network)] == [TOP_RATE * DECAY**depth for depth in range(5)]


def test_chosen_levels_move_at_the_top_rate_and_no_other_does(network: Network) -> None:
    groups = chosen(network, (1, 4))
    assert {group.rate for group in groups} == {TOP_RATE}
    body, first = (set(map(id, group.parameters)) for group in groups)
    assert body == {id(p) for p in network.body.parameters()}
    assert first == {id(network.byte), id(network.segment), id(network.grams.weight)}


def test_two_stages_start_with_the_head() -> None:
    assert [stage.name for stage in stages.TWO_STAGE] == ["head", "layers"]


def test_gradual_unfreezing_adds_a_level_a_stage_from_the_head_down(network: Network) -> None:
    sizes = [len(stage.groups(network)) for stage in GRADUAL]
    assert sizes == [1, 2, 3, 4, 5]
    assert set(moving(GRADUAL[0].groups(network))) < set(moving(GRADUAL[1].groups(network)))


@pytest.mark.parametrize(
    "plan",
    [stages.FEATURE_BASED, stages.FULL, stages.TWO_STAGE, GRADUAL, stages.FIRST_BLOCK, stages.LAST_BLOCK],
    ids=lambda plan: plan[-1].name,
)
def test_the_shares_of_a_plan_are_the_whole(plan: tuple[stages.Stage, ...]) -> None:
    assert sum(stage.share for stage in plan) == pytest.approx(1.0)
