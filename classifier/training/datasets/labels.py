"""Which label a row gets: the manifest's rules, and what text and traffic say themselves.

A rule is a label; `signature`, the class whose signature the text has (no row without one); `signature or X`;
`X unless signature`; `infection`, told from each flow of an infected machine's capture; or nothing: no row.
"""

import re
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import unquote_plus

from classifier.records import LABELS, FlowRecord

EXTRA: Final = ("scam", "web_attack", "dns_tunnel", "malware_context", "unknown")
"""Labels of the tables that no model has: see `classifier.training.corpus`."""
KNOWN: Final = frozenset((*LABELS, *EXTRA))

_SIGNATURES: Final = {
    label: re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for label, pattern in (
        (
            "xss",
            r"<\s*(script|svg|img|iframe|body|object|embed)\b.*?[\s/>(]|\bon\w{3,20}\s*=|javascript\s*:|alert\s*\(",
        ),
        (
            "sqli",
            r"\bunion\b.{1,40}\bselect\b|['\")]\s*(or|and)\b.{1,40}[=<>]|\bselect\b.{1,80}\bfrom\b|;\s*drop\s+table"
            r"|\b(sleep|benchmark|waitfor\s+delay|extractvalue|updatexml)\b\s*['(\"]|\binformation_schema\b",
        ),
        ("path_traversal", r"\.\.[\\/]|[\\/]etc[\\/](passwd|shadow|hosts)|\bwin\.ini\b|\bweb-inf\b"),
        (
            "command_injection",
            r"[;|&`]\s*(cat|id|ls|ping|wget|curl|whoami|uname|nc|bash|sh|cmd)\b|\$\([^)]*\)|\$\{jndi:|\(\)\s*\{.*?;"
            r"|<!--\s*#\s*(exec|include)|\{\{.{0,40}[*+]|\b(system|passthru|shell_exec|phpinfo|eval)\s*\(|/bin/(ba)?sh",
        ),
        (
            "ssrf_xxe",
            r"<!(entity|doctype)\b.{0,200}\bsystem\b|169\.254\.169\.254|\b(gopher|dict|file)://|[\r\n]+set-cookie\s*:"
            r"|=\s*(https?:)?//[^&\s]+\.(txt|php)\?|\[\$(ne|gt|regex)\]|\*\)\(\w+=",
        ),
    )
}

_TRACKERS: Final = (
    "doubleclick.net google-analytics.com googletagmanager.com googlesyndication.com googleadservices.com "
    "scorecardresearch.com adnxs.com criteo.com criteo.net taboola.com outbrain.com hotjar.com mixpanel.com segment.io "
    "quantserve.com rubiconproject.com pubmatic.com openx.net casalemedia.com chartbeat.com chartbeat.net omtrdc.net "
    "2mdn.net moatads.com demdex.net bluekai.com newrelic.com nr-data.net amazon-adsystem.com facebook.net"
).split()
_BACKGROUND: Final = (
    "microsoft.com windowsupdate.com windows.com msftncsi.com msftconnecttest.com office.com live.com bing.com "
    "msn.com google.com gstatic.com googleapis.com gvt1.com mozilla.org mozilla.com firefox.com apple.com ubuntu.com "
    "debian.org digicert.com symcd.com verisign.com globalsign.com letsencrypt.org comodoca.com usertrust.com "
    "akamai.net akamaiedge.net cloudfront.net adobe.com yahoo.com"
).split()
_LOOKUPS: Final = (
    "ipify.org icanhazip.com ip-api.com ipinfo.io checkip.dyndns.org wtfismyip.com myexternalip.com".split()
)
_FILES: Final = (b"MZ", b"\x7fELF", b"PK\x03\x04", b"Rar!", b"\xd0\xcf\x11\xe0", b"7z\xbc\xaf", b"%PDF")


def check(rule: str) -> None:
    """Raises ValueError for what is no rule."""
    wanted = re.fullmatch(r"|signature|infection|(?:signature or )?(\w+)|(\w+) unless signature", rule)
    if not wanted or {label for label in wanted.groups() if label} - KNOWN:
        raise ValueError(f"no such label rule: {rule!r}")


def rule_for(original: str, label: str, labels: dict[str, str]) -> str:
    """The rule of a row that its source calls `original`."""
    called = original.lower()
    return next((rule for pattern, rule in labels.items() if fnmatchcase(called, pattern.lower())), label)


def of_text(rule: str, text: str) -> str:
    """The label of a text under a rule; empty for none."""
    if "signature" not in rule:
        return rule
    found = signature(text)
    if rule.endswith(" unless signature"):
        return "" if found else rule.removesuffix(" unless signature")
    return found or rule.partition(" or ")[2]


def of_flow(rule: str, record: FlowRecord) -> str:
    """The label of a flow under a rule; well-known trackers are trackers in whatever is no attack."""
    if rule in ("benign", "unknown", "infection") and _under(record.site, _TRACKERS):
        return "tracker"
    if rule == "infection":
        return _infected(record)
    return of_text(rule, f"{record.path} {record.request_body.decode('latin-1')} {_referer(record)}")


def signature(text: str) -> str:
    """The first attack class whose signature the text has, as it is or decoded up to twice."""
    for _ in range(3):
        for label, pattern in _SIGNATURES.items():
            if pattern.search(text):
                return label
        text = unquote_plus(text)
    return ""


def _infected(record: FlowRecord) -> str:
    """By the rules that the corpus of captures states: doubtful for TLS, and no verdict at all for names."""
    if _under(record.site, _BACKGROUND):
        return "benign"
    if _under(record.site, _LOOKUPS):
        return "unknown"
    if record.kind != "http":
        return "c2" if record.kind == "tls" else "malware_context"
    if record.response_body.startswith(_FILES):
        return "malware"
    return "c2" if record.method == "POST" else "malware"


def _referer(record: FlowRecord) -> str:
    return " ".join(value for name, value in record.request_headers if name.lower() == "referer")


def _under(host: str, suffixes: list[str]) -> bool:
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)
