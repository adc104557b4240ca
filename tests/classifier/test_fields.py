"""Names of secret fields, and where their values lie in forms and in any other text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import fields
from classifier.fields import is_secret, mask_fields, mask_form


@pytest.mark.parametrize(
    "name",
    """password passwd pwd pass userPass user[password] user%5Bpin%5D txtPassword new_password1 pin secret client_secret
    token access_token refreshToken id_token csrf_token api_key apikey X-Api-Key key auth Authorization session
    sessionid sid JSESSIONID PHPSESSID csrf _xsrf otp code credential X-Amz-Signature sig private_key ssn iban cvv cvc
    cardNumber card_number cc-number bearer X-Auth-User X-CSRF-Token""".split(),
)
def test_a_field_of_this_name_is_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    """keyword keywords author authority passenger compass bypass tokenize tokenizer assign design signal secretary
    monkey user id q page encode country barcode spin opinion inside message_id sort_key primary_key Accept Host
    User-Agent Referer WWW-Authenticate""".split(),
)
def test_a_field_of_this_name_is_not_secret(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("form", "masked"),
    [
        ("a=b&pin=12", "a=b&pin=00"),
        ("pin=a=b;c&q=d", "pin=x=x;x&q=d"),
        ("user%5Bpin%5D=a&page=b", "user%5Bpin%5D=x&page=b"),
        ("pin=%41%21", "pin=%78%21"),
        ("token=&q=1", "token=&q=1"),
        ("pin&q=pin", "pin&q=pin"),
        ("pin", "pin"),
        ("", ""),
    ],
)
def test_in_a_form_a_secret_ends_at_the_next_ampersand(form: str, masked: str) -> None:
    assert mask_form(form) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"user":"bob","password":"hun\\"ter7"}', '{"user":"bob","password":"xxx\\"xxx0"}'),
        ('{"pin": 4711, "cvv": -1.5e3, "otp": null}', '{"pin": 1000, "cvv": -1.0e0, "otp": null}'),
        ('{"tokens":["a1","b2"],"q":"c3"}', '{"tokens":["x0","x0"],"q":"c3"}'),
        ('{"secret":{"a":"zz","k":{"b":[7]}},"q":"c3"}', '{"secret":{"a":"xx","k":{"b":[1]}},"q":"c3"}'),
        ('{"in":"{\\"password\\":\\"abc\\"}"}', '{"in":"{\\"password\\":\\"xxx\\"}"}'),
        ('{"name":"password","value":"hunter7"}', '{"name":"password","value":"xxxxxx0"}'),
        ("<a><password>hunter7</password><b pin='12'/></a>", "<a><password>xxxxxx0</password><b pin='00'/></a>"),
        ("<s:Token id='1'><![CDATA[abc]]></s:Token>", "<s:Token id='1'><![CDATA[xxx]]></s:Token>"),
        (
            "<name>password</name><value><string>hunter7</string></value>",
            "<name>password</name><value><string>xxxxxx0</string></value>",
        ),
        ('<input value="ab1" name="csrf_token">', '<input value="xx0" name="csrf_token">'),
        (
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nab1\r\nc\r\n--b\r\n',
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nxx0\r\nx\r\n--b\r\n',
        ),
        ("Authorization: Bearer abc.def", "Authorization: Bearer xxx.xxx"),
        ("{'pin': '4711'}", "{'pin': '0000'}"),
        ("pin = 12; q = 3", "pin = 00; q = 3"),
        ("key => 'a1'", "key => 'x0'"),
        ("password: a1 b2", "password: x0 b2"),
        ('{"password": "cut of', '{"password": "xxx xx'),
    ],
)
def test_in_a_text_the_values_of_secret_fields_become_symbols(text: str, masked: str) -> None:
    assert mask_fields(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no fields",
        "the password is long",
        '{"author": "x1", "n": 12}',
        "<b>12</b>",
        "<code>a1</code>",
        "a=1&page=2",
        '<input value="ab1" name="page">',
        '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nab1\r\n--b\r\n',
    ],
)
def test_a_text_without_secret_fields_stays(text: str) -> None:
    assert mask_fields(text) == text


PIECES = st.sampled_from(
    """password pin= token: "secret" name="csrf" value=" <pin> </pin> \\" { } [ ] ' " & < a1 -2""".split()
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join))
def test_any_text_keeps_its_length(text: str) -> None:
    assert len(mask_form(text)) == len(mask_fields(text)) == len(text)


NAMES = st.sampled_from(
    "id name page q xyz abc code password pin user_token csrf value data <b <name>pin</name>".split()
)
SIGNS = st.sampled_from(["=", ":", "='", '": "', "=>", ">", "</", "&", " ", "\\n", "{", "}", "4711"])


@given(st.lists(st.lists(NAMES | SIGNS, max_size=12).map("".join), max_size=4))
def test_what_was_learned_of_names_changes_nothing(texts: list[str]) -> None:
    learned = [mask_fields(text) for text in texts]
    for names in (fields._DULL_NAMES, fields._DULL_TAGS):
        names.clear()
    assert learned == [mask_fields(text) for text in reversed(texts)][::-1]


def test_names_that_are_learned_have_a_bound() -> None:
    for start in range(4):
        mask_fields("&".join(f"n{start}_{index}=1" for index in range(5000)))
        mask_fields("".join(f"<n{start}_{index}>" for index in range(5000)))
    assert len(fields._DULL_NAMES) <= fields._LEARNED >= len(fields._DULL_TAGS)
