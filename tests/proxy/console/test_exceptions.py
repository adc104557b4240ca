import tomllib
from pathlib import Path
from typing import Any

import pytest

from classifier.errors import UserError
from proxy import config
from proxy.console.exceptions import Exceptions, Wish


def wish(**fields: Any) -> Wish:
    return Wish(**{"host": "reports.example", "reason": "by design", **fields})


def test_what_is_made_here_the_policy_loads(tmp_path: Path) -> None:
    made = Exceptions(tmp_path).add(wish(path="/api/query", label="sqli", client="10.0.0.0/24", owner="data team"))
    (exemption,) = config.exceptions(tmp_path)
    assert (exemption.name, exemption.owner, exemption.reason) == (made.name, "data team", "by design")
    assert exemption.expires is not None and exemption.match.paths == ("/api/query",)
    assert "reports.example" in (exemption.match.hosts or ())
    assert not made.over


def test_they_are_listed_and_taken_away(tmp_path: Path) -> None:
    exceptions = Exceptions(tmp_path)
    assert exceptions.every() == []
    one, two = exceptions.add(wish()), exceptions.add(wish(client="10.0.0.7", host="", days=0))
    assert exceptions.every() == [one, two]
    assert two.expires == ""
    assert exceptions.remove(one.name) == one
    assert exceptions.every() == [two]
    with pytest.raises(UserError, match="no exception"):
        exceptions.remove(one.name)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"host": ""}, "needs a site or a client"),
        ({"host": "", "path": "/x"}, "needs a site or a client"),
        ({"reason": " "}, "say why"),
        ({"label": "nonsense"}, "unknown label"),
        ({"client": "10.0.0"}, "address or a network"),
        ({"reason": "x" * 600}, "at most 500"),
        ({"path": "/\n[policy]\nmode = 'monitor'"}, "printable"),
        ({"days": -1}, "days"),
        ({"days": float("nan")}, "days"),
    ],
)
def test_what_the_policy_would_refuse_is_refused(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    exceptions = Exceptions(tmp_path)
    kept = exceptions.add(wish())
    with pytest.raises(UserError, match=problem):
        exceptions.add(wish(**fields))
    assert exceptions.every() == [kept]
    assert [path.name for path in tmp_path.iterdir()] == ["exceptions.toml"]


@pytest.mark.parametrize("text", ['"', "\\", "'''", "a\x7fb", "é😀", "# = [", '" \naction = "block'])
def test_no_text_breaks_out_of_its_value(tmp_path: Path, text: str) -> None:
    exceptions = Exceptions(tmp_path)
    try:
        made = exceptions.add(wish(reason=text))
    except UserError as error:
        assert "printable" in str(error)
        return
    (table,) = tomllib.loads(exceptions.path.read_text())["policy"]["exceptions"]
    assert table["reason"] == made.reason == text
    assert set(table) == {"name", "host", "owner", "reason", "expires"}


def test_what_was_written_by_hand_stays(tmp_path: Path) -> None:
    exceptions = Exceptions(tmp_path)
    exceptions.path.write_text(
        '[[policy.exceptions]]\nhost = ["a.example", "b.example"]\nmethod = "POST"\nthreat = 0.5\nretire = true\n'
        'owner = "me"\nreason = "x"\nexpires = 2020-01-31\n'
    )
    (found,) = exceptions.every()
    assert (found.name, found.host, found.over) == ("exception 1", "a.example, b.example", True)
    exceptions.add(wish())
    first = tomllib.loads(exceptions.path.read_text())["policy"]["exceptions"][0]
    assert first["host"] == ["a.example", "b.example"] and first["retire"] is True and first["threat"] == 0.5
    assert len(config.exceptions(tmp_path)) == 2
    exceptions.remove("exception 1")
    assert len(exceptions.every()) == 1


def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    exceptions = Exceptions(tmp_path)
    exceptions.path.write_text("[[policy")
    with pytest.raises(UserError, match="mend it"):
        exceptions.add(wish())
    assert exceptions.path.read_text() == "[[policy"
