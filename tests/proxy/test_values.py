from datetime import UTC, datetime

import pytest

from proxy import values


@pytest.mark.parametrize(
    ("text", "number"), [(5, 5.0), ("90", 90.0), ("2m", 120.0), ("1.5h", 5400.0), ("2w", 1209600.0)]
)
def test_durations(text: object, number: float) -> None:
    assert values.seconds(text) == number


@pytest.mark.parametrize(("text", "number"), [(5, 5), ("5", 5), ("1k", 1024), ("2 MB", 2 * 1024**2), ("1GiB", 1024**3)])
def test_sizes(text: object, number: int) -> None:
    assert values.size(text) == number


@pytest.mark.parametrize("text", [True, "", "x", None, "5q", 0, []])
def test_what_is_no_measure_is_refused(text: object) -> None:
    for read in (values.seconds, values.size):
        with pytest.raises(ValueError, match="must be"):
            read(text)


def test_a_date_lasts_until_its_end() -> None:
    end = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    assert end - 1 <= values.moment("2029-12-31") < end
    assert values.moment("2030-01-01T00:00:00Z") == end


@pytest.mark.parametrize(("text", "shown"), [("h:1", "h:1"), ("[::1]:80", "[::1]:80"), ("127.0.0.1:0", "127.0.0.1:0")])
def test_an_address_is_written_as_it_is_read(text: str, shown: str) -> None:
    assert str(values.address(text)) == shown


@pytest.mark.parametrize(("text", "number"), [("off", 0.0), ("10m", 600.0), (5, 5.0)])
def test_a_window_may_be_closed(text: object, number: float) -> None:
    assert values.window(text) == number


def test_the_nearest_name_is_offered_else_all() -> None:
    assert values.nearest("sqly", ["sqli", "xss"]) == "did you mean sqli?"
    assert values.nearest(7, ["sqli", "xss"]) == "known are sqli, xss"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("transparent", ("transparent",)),
        (["regular", "socks5@1080"], ("regular", "socks5@1080")),
        ("reverse:https://intranet.example@127.0.0.1:8443", ("reverse:https://intranet.example@127.0.0.1:8443",)),
        ("wireguard@0.0.0.0:51820", ("wireguard@0.0.0.0:51820",)),
        ("local:curl", ("local:curl",)),
    ],
)
def test_modes_are_mitmproxys(given: object, read: tuple[str, ...]) -> None:
    assert values.modes(given) == read


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must be of regular"),
        (8080, "must be of regular"),
        ("transparant", "did you mean transparent"),
        ("dns", "known are regular"),
        ("socks5@many", "socks5@many: invalid port"),
        ("reverse:tcp://db.example:5432", "must lead to http:// or https://"),
        ("regular:x", "takes no arguments"),
    ],
)
def test_what_is_no_mode_is_refused(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        values.modes(given)
