"""`sluice bench` from end to end. What the figures are is not looked at: a test is no benchmark."""

import json
from pathlib import Path

from harness import publish, sluice
from proxy.bench import servers


def test_every_variant_is_measured_and_written_down(tmp_path: Path) -> None:
    release = publish(tmp_path / "state", tmp_path / "model")
    file = tmp_path / "bench.json"
    options = ("--rounds", "1", "--seconds", "1", "--connections", "4", "--state", str(tmp_path / "state"))
    done = sluice("bench", *options, "--json", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads(file.read_text())
    assert written["variants"].keys() == set(servers.available())
    for figures in written["variants"].values():
        assert figures["rps"] > 0
        assert 0 < figures["p50_ms"] <= figures["p99_ms"]
        assert "cpu_us" in figures
    assert written["machine"]["cores"] >= 1
    assert written["release"] == release
    assert f"scored: release {release}" in done.stdout
    assert not (tmp_path / "state" / "captures").exists()  # what was measured is not what the site saw


def test_a_file_that_cannot_be_written_is_refused_before_measuring(tmp_path: Path) -> None:
    done = sluice("bench", "--json", str(tmp_path / "none" / "bench.json"))
    assert done.returncode == 2
    assert done.stderr == (
        f"sluice: cannot write {tmp_path / 'none' / 'bench.json'}: No such file or directory; choose another\n"
    )
