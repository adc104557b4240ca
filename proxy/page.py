"""The pages that people see in place of what was blocked: plain HTML, no script, nothing from anywhere else.

Whatever comes from a request or the configuration is escaped here and nowhere else. The page works without a mouse and
without colours, follows the system's light or dark setting, and says the same to a screen reader.
"""

import html
from typing import Final, NamedTuple

from proxy.wording import Wording

REPORT: Final = "/.well-known/sluice/report"
CONTINUE: Final = "/.well-known/sluice/continue"
"""Where the page's buttons lead: paths of the blocked site itself, which the proxy answers (RFC 8615)."""
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --card: #fff; --ground: #f3f4f6; --line: #d0d7de;
  --mark: #b42318; --go: #0b57d0; --on: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #f0f3f6; --soft: #b1bac4; --card: #1c2128; --ground: #0d1117;
  --line: #444c56; --mark: #ff8a80; --go: #8ab4f8; --on: #10141a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1.0625rem/1.6 system-ui, sans-serif }
main { width: min(40rem, 100% - 1.5rem); margin: clamp(.75rem, 9vh, 6rem) auto; padding: clamp(1.25rem, 4vw, 2.5rem);
  background: var(--card); border: 1px solid var(--line); border-top: .4rem solid var(--mark); border-radius: .6rem }
main.calm { border-top-color: var(--go) }
h1 { display: flex; gap: .75rem; align-items: center; margin: 0 0 1rem; font-size: 1.6rem;
  line-height: 1.25; text-wrap: balance }
h1 svg { flex: none; color: var(--mark) }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem }
p { margin: 0 0 .9rem } .soft { color: var(--soft); font-size: .95rem }
strong, code { overflow-wrap: anywhere } code { font-size: .95em }
form { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; margin: .75rem 0 }
form .soft { flex: 1 1 14rem; margin: 0 }
button { font: inherit; font-weight: 600; min-width: 13.5rem; padding: .6rem 1.1rem; border-radius: .4rem;
  border: 2px solid var(--go); background: var(--go); color: var(--on); cursor: pointer }
button.second { background: transparent; color: var(--go) }
button:focus-visible, a:focus-visible { outline: 3px solid var(--go); outline-offset: 3px }
a { color: var(--go) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.25rem; margin: 0; padding-top: .5rem;
  font-size: .95rem } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .6rem } }
"""
_SHIELD: Final = (
    '<svg width="40" height="40" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path fill="none" '
    'stroke="currentColor" stroke-width="2" stroke-linejoin="round" stroke-linecap="round" '
    'd="M12 3l8 3v6c0 4.6-3.3 7.6-8 9-4.7-1.4-8-4.4-8-9V6zM12 8v5M12 16.2v.1"/></svg>'
)
_FRAME: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main{kind}>
<h1>{shield}<span>{heading}</span></h1>
{body}</main>
</body>
</html>
"""


class Offers(NamedTuple):
    """What the reader of a block page may do: tickets for its buttons, and whom to ask. Empty where not possible."""

    report: str = ""
    resume: str = ""
    contact: str = ""


NO_OFFERS: Final = Offers()


def blocked(words: Wording, *, site: str, why: str, kind: str, event: str, offers: Offers) -> str:
    """The page in place of a blocked one; `why` and `kind` say the reason in a clause and in a word."""
    parts = [
        f"<p>{_filled(words.sentence, site=f'<strong>{_escape(site)}</strong>', why=_escape(why))}</p>\n",
        f"<p>{_escape(words.advice)}</p>\n",
        *_choices(words, offers),
        f"<h2>{_escape(words.details)}</h2>\n<dl>\n",
        _row(words.site, _escape(site)),
        _row(words.kind, _escape(kind)),
        _row(words.number, f"<code>{_escape(event)}</code>"),
        "</dl>\n",
    ]
    return _page(words, words.title, words.heading, "".join(parts), alarm=True)


def note(words: Wording, heading: str, sentence: str) -> str:
    """A page that answers a button."""
    return _page(words, heading, heading, f"<p>{_escape(sentence)}</p>\n", alarm=False)


def _choices(words: Wording, offers: Offers) -> list[str]:
    parts = []
    if any(offers):
        parts.append(f"<h2>{_escape(words.mistake)}</h2>\n")
    if offers.report:
        parts.append(_form(REPORT, offers.report, "first", words.report, words.report_hint))
    if offers.resume:
        parts.append(_form(CONTINUE, offers.resume, "second", words.resume, words.resume_hint))
    if offers.contact:
        parts.append(f"<p>{_filled(words.contact, contact=_link(offers.contact))}</p>\n")
    return parts


def _form(action: str, ticket: str, kind: str, label: str, hint: str) -> str:
    named = f"{kind}-hint"
    return (
        f'<form method="post" action="{action}">\n<input type="hidden" name="ticket" value="{_escape(ticket)}">\n'
        f'<button class="{kind}" aria-describedby="{named}">{_escape(label)}</button>\n'
        f'<p class="soft" id="{named}">{_escape(hint)}</p>\n</form>\n'
    )


def _link(contact: str) -> str:
    """A contact as a link, where it is an address of some kind."""
    shown = _escape(contact)
    if contact.startswith(("https://", "http://")):
        return f'<a href="{shown}">{shown}</a>'
    if "@" in contact and " " not in contact:
        return f'<a href="mailto:{shown}">{shown}</a>'
    return f"<strong>{shown}</strong>"


def _row(name: str, value: str) -> str:
    return f"<dt>{_escape(name)}</dt><dd>{value}</dd>\n"


def _filled(sentence: str, **markup: str) -> str:
    """A sentence, escaped, with markup put in for its braces."""
    return _escape(sentence).format(**markup)


def _page(words: Wording, title: str, heading: str, body: str, *, alarm: bool) -> str:
    return _FRAME.format(
        kind="" if alarm else ' class="calm"',
        language=words.language,
        title=_escape(title),
        style=_STYLE,
        shield=_SHIELD if alarm else "",
        heading=_escape(heading),
        body=body,
    )


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
