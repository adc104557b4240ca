"""What an alert of an intrusion detection system says about a flow, in our labels.

The name of the signature is looked at first, because categories are broad: `Web Application Attack` is all of SQL
injection, cross-site scripting and the rest. What neither table knows has no label: it is counted, not guessed.
Categories are the descriptions of Emerging Threats' classification.config, prefixes those of its signature names.
"""

import re
from typing import Final

from classifier.records import Label

NAMES: Final[tuple[tuple[re.Pattern[str], Label], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), label)
    for pattern, label in (
        (r"\bSQL ?i(nj|\b)|\bsqli\b", Label.SQLI),
        (r"cross[ -]site[ -]script|\bXSS\b", Label.XSS),
        (r"(directory|path) traversal|local file incl|\bLFI\b", Label.PATH_TRAVERSAL),
        (r"\bSSRF\b|server[ -]side request forg|\bXXE\b|external entity", Label.SSRF_XXE),
        (r"(remote )?(command|code|cmd) (exec|inj)|\bRCE\b|OS command|shellshock|log4j|jndi", Label.COMMAND_INJECTION),
        (r"coin ?min|crypto ?min|\bstratum\b|monero|xmrig", Label.CRYPTOMINING),
        (r"\bDGA\b|domain generat", Label.DGA),
        (r"exfil|(dns|icmp) tunnel", Label.EXFILTRATION),
        (r"\bphish|credential (phish|theft)", Label.PHISHING),
        (r"\bCnC\b|\bC2\b|command and control|check-?in\b|beacon|keep-?alive", Label.C2),
        (r"^(ET|GPL) SCAN\b|nmap|masscan|zmap|nikto|\bscanner\b", Label.SCANNER),
    )
)
CATEGORIES: Final[dict[str, Label]] = {
    "malware command and control activity detected": Label.C2,
    "domain observed used for c2 detected": Label.C2,
    "a network trojan was detected": Label.MALWARE,
    "exploit kit activity detected": Label.MALWARE,
    "targeted malicious activity was detected": Label.MALWARE,
    "crypto currency mining activity detected": Label.CRYPTOMINING,
    "successful credential theft detected": Label.PHISHING,
    "possible social engineering attempted": Label.PHISHING,
    "detection of a network scan": Label.SCANNER,
}
SILENT: Final = re.compile(r"^(ET|GPL) (INFO|POLICY|HUNTING|CHAT|GAMES|P2P)\b")
"""Signatures that tell of something, not of a threat."""


def label_of(signature: str, category: str) -> Label | None:
    """The label of an alert, None where its tables have none."""
    if SILENT.match(signature):
        return None
    named = next((label for pattern, label in NAMES if pattern.search(signature)), None)
    return named or CATEGORIES.get(category.strip().lower())
