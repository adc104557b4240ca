"""A missing program skips a test, unless `SLUICE_REQUIRE` promises it: then it fails."""

import pytest

import needs


@pytest.mark.parametrize(
    ("promised", "program", "outcome"),
    [
        ("", "tshark", pytest.skip.Exception),
        ("prometheus,data", "tshark", pytest.skip.Exception),
        ("prometheus, tshark", "tshark", pytest.fail.Exception),
        ("prometheus", "promtool", pytest.fail.Exception),
    ],
)
def test_a_missing_program(
    promised: str, program: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_REQUIRE", promised)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(outcome, match=f"{program} is not installed"):
        needs.require(program)


def test_a_missing_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CORPUS", "/nowhere")
    monkeypatch.delenv("SLUICE_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="set SLUICE_CORPUS"):
        needs.corpus()
    monkeypatch.setenv("SLUICE_REQUIRE", "data")
    with pytest.raises(pytest.fail.Exception):
        needs.corpus()


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    needs.module("pytest")
    monkeypatch.delenv("SLUICE_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_package is not installed"):
        needs.module("no_such_package")
    monkeypatch.setenv("SLUICE_REQUIRE", "no_such_package")
    with pytest.raises(pytest.fail.Exception):
        needs.module("no_such_package")


def test_a_program_that_is_there_is_named_with_its_path() -> None:
    assert needs.require("sh").endswith("/sh")
