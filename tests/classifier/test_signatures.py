import pytest

from classifier.records import Label
from classifier.signatures import label_of

TABLE = [
    ("ET WEB_SERVER Possible SQL Injection Attempt SELECT FROM", "Web Application Attack", "sqli"),
    ("ET SCAN Sqlmap SQL Injection Scan", "Attempted Information Leak", "sqli"),
    ("ET WEB_SPECIFIC_APPS Cross Site Scripting Attempt", "Web Application Attack", "xss"),
    ("ET WEB_SERVER Generic Directory Traversal in GET", "Web Application Attack", "path_traversal"),
    ("ET EXPLOIT Apache log4j RCE Attempt", "Attempted Administrator Privilege Gain", "command_injection"),
    ("ET WEB_SPECIFIC_APPS Confluence SSRF Attempt", "Web Application Attack", "ssrf_xxe"),
    ("ET SCAN Nmap Scripting Engine User-Agent Detected", "Web Application Attack", "scanner"),
    ("ET MALWARE Win32/X CnC Checkin", "A Network Trojan was detected", "c2"),
    ("ET MALWARE Win32/X Downloading Payload", "A Network Trojan was detected", "malware"),
    ("ET PHISHING Successful Login Phish", "Successful Credential Theft Detected", "phishing"),
    ("ET COINMINER XMRig Observed", "Crypto Currency Mining Activity Detected", "cryptomining"),
    ("my own rule", "Malware Command and Control Activity Detected", "c2"),
    ("my own rule", " exploit kit activity detected ", "malware"),
    ("ET CINS Active Threat Intelligence Poor Reputation IP group 1", "Misc Attack", None),
    ("ET WEB_SERVER WebShell Generic", "Web Application Attack", None),
    ("ET INFO User-Agent (python-requests) Inbound to Webserver", "A Network Trojan was detected", None),
    ("ET POLICY Monero wallet page", "Potential Corporate Privacy Violation", None),
    ("", "", None),
]


@pytest.mark.parametrize(("signature", "category", "label"), TABLE)
def test_the_name_counts_before_the_category_and_what_is_unknown_is_not_guessed(
    signature: str, category: str, label: str | None
) -> None:
    assert label_of(signature, category) == (None if label is None else Label(label))
