"""A user's mistake carries its line and its exit code."""

from classifier.errors import UserError


def test_a_mistake_is_about_usage_unless_told_otherwise() -> None:
    assert UserError("no such file").exit_code == 2
    assert UserError("refused by a gate", exit_code=3).exit_code == 3
    assert str(UserError("no such file: a.har")) == "no such file: a.har"
