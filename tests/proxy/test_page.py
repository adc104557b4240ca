"""The pages: readable by everybody, and nothing in them acts."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.page import CONTINUE, NO_OFFERS, REPORT, Offers, blocked, note
from proxy.wording import ENGLISH, LANGUAGES, Wording

TAGS = set(
    "html head meta title style body main h1 h2 span svg path p strong code form input button a dl dt dd".split()
)


class Reader(HTMLParser):
    """Every element with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(words: Wording = ENGLISH, site: str = "a.example", event: str = "e1", offers: Offers = NO_OFFERS) -> str:
    return blocked(words, site=site, why="it looks odd", kind="something odd", event=event, offers=offers)


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=list(LANGUAGES))
def test_a_page_has_language_title_landmark_and_headings_in_order(words: Wording) -> None:
    reader = Reader(page(words, offers=Offers("t1", "t2", "it@a.example")))
    assert reader.named("html") == [{"lang": words.language}]
    assert len(reader.named("main")) == len(reader.named("h1")) == len(reader.named("title")) == 1
    assert [tag for tag, _ in reader.tags if tag in ("h1", "h2")] == ["h1", "h2", "h2"]
    assert words.heading in reader.text and "a.example" in reader.text and "e1" in reader.text
    assert not {name for name, _ in reader.tags} - TAGS


def test_the_buttons_post_their_tickets_to_the_site_itself() -> None:
    reader = Reader(page(offers=Offers("ticket-1", "ticket-2", "")))
    assert [(form["method"], form["action"]) for form in reader.named("form")] == [
        ("post", REPORT),
        ("post", CONTINUE),
    ]
    assert [field["value"] for field in reader.named("input")] == ["ticket-1", "ticket-2"]
    hints = {attributes.get("id") for attributes in reader.named("p")}
    assert {button["aria-describedby"] for button in reader.named("button")} <= hints


def test_what_is_not_offered_is_not_shown() -> None:
    reader = Reader(page())
    assert reader.named("form") == [] and ENGLISH.mistake not in reader.text
    assert len(Reader(page(offers=Offers(report="t"))).named("form")) == 1


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("helpdesk@a.example", "mailto:helpdesk@a.example"),
        ("https://help.a.example/?x=1&y=2", "https://help.a.example/?x=1&y=2"),
        ("extension 4711", None),
        ("javascript:alert(1)", None),
    ],
)
def test_a_contact_is_a_link_where_it_can_be(contact: str, link: str | None) -> None:
    reader = Reader(page(offers=Offers(contact=contact)))
    assert [attributes["href"] for attributes in reader.named("a")] == ([link] if link else [])
    assert contact in reader.text


@given(st.text(), st.text(), st.text(), st.sampled_from([*LANGUAGES.values()]))
def test_nothing_is_reflected_unescaped(site: str, event: str, contact: str, words: Wording) -> None:
    reader = Reader(page(words, site, event, Offers(event, site, contact)))
    assert not {name for name, _ in reader.tags} - TAGS
    assert sum(tag == "form" for tag, _ in reader.tags) == bool(event) + bool(site)
    allowed = {"lang", "charset", "name", "content", "method", "action", "type", "value", "class", "href", "id"}
    allowed |= {"aria-describedby", "aria-hidden", "width", "height", "viewbox", "focusable", "fill", "d"}
    allowed |= {"stroke", "stroke-width", "stroke-linejoin", "stroke-linecap"}
    assert {name for _, attributes in reader.tags for name in attributes} <= allowed
    links = [attributes["href"] or "" for attributes in reader.named("a")]
    assert all(link.startswith(("https://", "http://", "mailto:")) for link in links)


def test_an_answer_to_a_button_is_a_page_too() -> None:
    reader = Reader(note(ENGLISH, *ENGLISH.reported))
    assert len(reader.named("h1")) == 1 and ENGLISH.reported[1] in reader.text
    assert "<b>" not in note(ENGLISH, "<b>", "<b>")
