"""The requests of the benchmark: enough, all different, the same for a seed, and well-formed."""

from collections import Counter

import pytest

from proxy.bench import mix
from proxy.bench.mix import Request


@pytest.fixture(scope="module")
def made() -> list[Request]:
    return mix.build(0)


def test_ten_thousand_requests_and_no_two_alike(made: list[Request]) -> None:
    assert len(made) == mix.COUNT >= 10_000
    assert len({(one.method, one.path, one.body) for one in made}) == mix.COUNT


def test_a_seed_names_a_mix(made: list[Request]) -> None:
    assert mix.build(0, 200) == made[:200]
    assert mix.build(1, 200) != made[:200]


def test_every_kind_of_traffic_is_there(made: list[Request]) -> None:
    starts = Counter(one.path.split("/")[1].split("?")[0] for one in made)
    assert min(starts[name] for name in ("static", "api", "graphql", "upload", "collect")) > mix.COUNT / 100
    types = {value.split(";")[0] for one in made for name, value in one.headers if name == "Content-Type"}
    assert types == {
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    }


def test_no_name_could_be_looked_up(made: list[Request]) -> None:
    assert {host.rpartition(".")[2] for one in made for name, host in one.headers if name == "Host"} == {"example"}


def test_requests_are_well_formed(made: list[Request]) -> None:
    for one in made:
        head, _, body = one.encode("127.0.0.1:9").partition(b"\r\n\r\n")
        first, *headers = head.decode("ascii").split("\r\n")
        assert first == f"{one.method} http://127.0.0.1:9{one.path} HTTP/1.1"
        assert " " not in one.path
        fields = dict(line.split(": ", 1) for line in headers)
        assert len(fields) == len(headers)
        assert int(fields.get("Content-Length", "0")) == len(body) == len(one.body)
