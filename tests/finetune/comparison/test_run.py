from pathlib import Path

import pytest

from classifier.errors import UserError
from finetune.comparison import ground, run
from finetune.comparison.attempt import attempt
from finetune.comparison.ground import Ground
from finetune.comparison.rows import CONTROLS, Row
from finetune.comparison.run import Options


@pytest.fixture(autouse=True)
def once(base: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base side is made once for all tests."""
    monkeypatch.setattr(ground, "prepare", lambda *_: base)


def options(site: Path, out: Path | None = None, strategies: tuple[str, ...] = ("feature-based",)) -> Options:
    return Options([site], strategies, labels=[5], seeds=1, out=out)


def test_controls_are_always_there_and_rows_are_kept(site: Path, tmp_path: Path) -> None:
    result = run.run(options(site, tmp_path))
    assert [row.strategy for row in result.rows] == [*CONTROLS, "feature-based"]
    assert result.rows[-1].over_scratch is not None
    assert [each.site for each in result.sites] == ["reports"]
    assert len((tmp_path / "rows.jsonl").read_bytes().splitlines()) == 4


def test_an_interrupted_run_goes_on_where_it_stopped(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def attempted(*arguments: object) -> Row:
        tried.append(str(arguments[-1]))
        if len(tried) == 3:
            raise KeyboardInterrupt
        return attempt(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("finetune.comparison.run.attempt", attempted)
    with pytest.raises(KeyboardInterrupt):
        run.run(options(site, tmp_path))
    result = run.run(options(site, tmp_path))
    assert tried == ["incumbent", "n-gram", "from-scratch", "from-scratch", "feature-based"]
    assert [row.strategy for row in result.rows] == [*CONTROLS, "feature-based"]
    fewer = run.run(options(site, tmp_path, strategies=()))
    assert len(tried) == 5
    assert [row.strategy for row in fewer.rows] == [*CONTROLS]


def test_mistakes_are_noticed_before_the_work(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "prepare", lambda *_: pytest.fail("work began"))
    with pytest.raises(UserError, match="unknown strategy 'magic'"):
        run.run(options(site, strategies=("magic",)))
    twin = tmp_path / "reports.jsonl"
    with pytest.raises(UserError, match="two sites are called reports"):
        run.run(Options([site, twin], (), labels=[5], seeds=1))
