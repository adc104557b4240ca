"""Every sentence that people see in place of a page, in every language: the one file that a translation touches.

To add a language, add one `Wording` to `LANGUAGES`; the tests check that it is whole. Sentences are plain text: what is
put between braces is escaped with them, and no markup belongs here.
"""

from typing import Final, NamedTuple

from classifier.records import Label


class Wording(NamedTuple):
    """The sentences of one language. `{site}`, `{why}`, `{event}` and `{contact}` are filled in."""

    language: str
    title: str
    heading: str
    sentence: str
    advice: str
    mistake: str
    report: str
    report_hint: str
    contact: str
    resume: str
    resume_hint: str
    details: str
    site: str
    kind: str
    number: str
    plain: str
    rule: str
    unchecked: str
    ruled: str
    nothing: str
    reported: tuple[str, str]
    repeated: tuple[str, str]
    limited: tuple[str, str]
    expired: tuple[str, str]
    refused: tuple[str, str]
    resumed: tuple[str, str]
    meaning: dict[Label, str]
    name: dict[Label, str]


ENGLISH: Final = Wording(
    language="en",
    title="Page blocked",
    heading="This page was blocked to protect you",
    sentence="Your network's filter stopped this request to {site} because {why}.",
    advice="You did nothing wrong. Your browser's back button takes you to where you were.",
    mistake="Is this a mistake?",
    report="Report a mistake",
    report_hint="Your administrators will see which page it was and the number below.",
    contact="Need help now? Contact {contact} and give the number below.",
    resume="Continue anyway",
    resume_hint="Only if you know and trust this page. Your decision is recorded.",
    details="Details",
    site="Site",
    kind="What the filter saw",
    number="Number",
    plain="Blocked by the network's filter because {why}.\nEvent: {event}\n",
    rule="a rule of your network does not allow it",
    unchecked="it could not be checked",
    ruled="a rule of your network",
    nothing="nothing: the check failed",
    reported=("Thank you", "Your report has reached your administrators. The page stays blocked until they decide."),
    repeated=("Already reported", "Your administrators know about this page. It stays blocked until they decide."),
    limited=("Too many requests", "You have asked often in a short time. Please try again in a few minutes."),
    expired=("This page is too old", "Please load the blocked page again and use its buttons."),
    refused=("Not possible", "This page cannot be opened from here. Please ask your administrators."),
    resumed=("You may continue", "Please go back and send your request again. The permission is short and recorded."),
    meaning={
        Label.SQLI: "it looks like an attempt to manipulate a database",
        Label.XSS: "it carries a script that could act in your name",
        Label.PATH_TRAVERSAL: "it looks like an attempt to read files it should not",
        Label.COMMAND_INJECTION: "it looks like an attempt to run commands on a server",
        Label.SSRF_XXE: "it looks like an attempt to misuse a server as a go-between",
        Label.PHISHING: "it looks like a page made to steal passwords",
        Label.MALWARE: "it looks like harmful software",
        Label.C2: "it looks like a program talking to whoever controls it",
        Label.DGA: "its address looks machine-made, as harmful software uses them",
        Label.EXFILTRATION: "it looks like data being carried out unseen",
        Label.CRYPTOMINING: "it looks like mining of digital money on this computer",
    },
    name={
        Label.SQLI: "attack on a database",
        Label.XSS: "foreign script",
        Label.PATH_TRAVERSAL: "access to hidden files",
        Label.COMMAND_INJECTION: "commands for a server",
        Label.SSRF_XXE: "misuse of a server",
        Label.PHISHING: "password theft",
        Label.MALWARE: "harmful software",
        Label.C2: "remote control",
        Label.DGA: "machine-made address",
        Label.EXFILTRATION: "hidden data transfer",
        Label.CRYPTOMINING: "digital money mining",
    },
)
GERMAN: Final = Wording(
    language="de",
    title="Seite gesperrt",
    heading="Diese Seite wurde zu Ihrem Schutz gesperrt",
    sentence="Der Filter Ihres Netzwerks hat diese Anfrage an {site} angehalten, denn {why}.",
    advice="Sie haben nichts falsch gemacht. Mit der Zurück-Taste des Browsers kommen Sie zurück.",
    mistake="Ist das ein Irrtum?",
    report="Irrtum melden",
    report_hint="Ihre Administratoren erfahren, welche Seite es war, und die Nummer unten.",
    contact="Brauchen Sie sofort Hilfe? Wenden Sie sich an {contact} und nennen Sie die Nummer unten.",
    resume="Trotzdem fortfahren",
    resume_hint="Nur wenn Sie diese Seite kennen und ihr vertrauen. Ihre Entscheidung wird festgehalten.",
    details="Einzelheiten",
    site="Seite",
    kind="Was der Filter gesehen hat",
    number="Nummer",
    plain="Vom Filter des Netzwerks gesperrt, denn {why}.\nNummer (event): {event}\n",
    rule="eine Regel Ihres Netzwerks erlaubt es nicht",
    unchecked="sie konnte nicht geprüft werden",
    ruled="eine Regel Ihres Netzwerks",
    nothing="nichts: die Prüfung misslang",
    reported=("Danke", "Ihre Administratoren haben die Meldung. Bis sie entscheiden, bleibt die Seite gesperrt."),
    repeated=("Schon gemeldet", "Ihre Administratoren wissen davon. Bis sie entscheiden, bleibt die Seite gesperrt."),
    limited=("Zu viele Anfragen", "Sie haben kurz nacheinander oft gefragt. Bitte warten Sie einige Minuten."),
    expired=("Diese Seite ist zu alt", "Bitte laden Sie die gesperrte Seite neu und benutzen Sie deren Tasten."),
    refused=("Nicht möglich", "Diese Seite lässt sich von hier nicht öffnen. Bitte fragen Sie Ihre Administratoren."),
    resumed=(
        "Sie können fortfahren",
        "Bitte gehen Sie zurück und senden Sie die Anfrage noch einmal. Die Erlaubnis gilt kurz und wird festgehalten.",
    ),
    meaning={
        Label.SQLI: "sie sieht aus wie ein Versuch, eine Datenbank zu manipulieren",
        Label.XSS: "sie enthält ein Skript, das in Ihrem Namen handeln könnte",
        Label.PATH_TRAVERSAL: "sie sieht aus wie ein Versuch, verborgene Dateien zu lesen",
        Label.COMMAND_INJECTION: "sie sieht aus wie ein Versuch, auf einem Server Befehle auszuführen",
        Label.SSRF_XXE: "sie sieht aus wie ein Versuch, einen Server als Mittelsmann zu missbrauchen",
        Label.PHISHING: "sie sieht aus wie eine Seite, die Passwörter stehlen soll",
        Label.MALWARE: "sie sieht aus wie schädliche Software",
        Label.C2: "sie sieht aus wie ein Programm, das mit demjenigen spricht, der es fernsteuert",
        Label.DGA: "ihre Adresse sieht maschinell erzeugt aus, wie schädliche Software sie benutzt",
        Label.EXFILTRATION: "sie sieht aus wie Daten, die unbemerkt hinausgetragen werden",
        Label.CRYPTOMINING: "sie sieht aus wie das Schürfen von digitalem Geld auf diesem Computer",
    },
    name={
        Label.SQLI: "Angriff auf eine Datenbank",
        Label.XSS: "fremdes Skript",
        Label.PATH_TRAVERSAL: "Zugriff auf verborgene Dateien",
        Label.COMMAND_INJECTION: "Befehle für einen Server",
        Label.SSRF_XXE: "Missbrauch eines Servers",
        Label.PHISHING: "Diebstahl von Passwörtern",
        Label.MALWARE: "schädliche Software",
        Label.C2: "Fernsteuerung",
        Label.DGA: "maschinell erzeugte Adresse",
        Label.EXFILTRATION: "verborgene Datenübertragung",
        Label.CRYPTOMINING: "Schürfen von digitalem Geld",
    },
)
LANGUAGES: Final = {wording.language: wording for wording in (ENGLISH, GERMAN)}


def spoken(accept_language: str) -> Wording:
    """The best of our languages for an Accept-Language header (RFC 9110 §12.5.4), else English."""
    best, weight = ENGLISH, 0.0
    for part in accept_language.lower().split(",")[:32]:
        tag, _, parameter = part.partition(";")
        found = LANGUAGES.get(tag.strip().partition("-")[0])
        asked = _weight(parameter)
        if found is not None and asked > weight:
            best, weight = found, asked
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
