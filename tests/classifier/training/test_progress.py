from classifier import progress
from classifier.training.progress import Bar


def test_training_has_no_bar_of_its_own() -> None:
    assert Bar is progress.Bar
