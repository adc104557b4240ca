import re

import pytest

from proxy.console import view


def test_templates_escape_and_complain_about_what_is_missing() -> None:
    text = view.text("login.html", settled=True, problem="<b>", after='"><i>')
    assert "<b>" not in text and "<i>" not in text and "&lt;b&gt;" in text
    with pytest.raises(Exception, match="undefined"):
        view.text("login.html")


def test_no_template_has_a_script_or_a_style_of_its_own() -> None:
    """The policy of the pages would refuse it."""
    for path in (view.HERE / "templates").iterdir():
        content = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)|\|\s*safe|hx-on|javascript:", content), (
            path.name
        )


def test_every_template_compiles() -> None:
    for name in view.environment().list_templates():
        view.environment().get_template(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("style.css", "text/css; charset=utf-8"),
        ("htmx.min.js", "text/javascript; charset=utf-8"),
        ("shield.svg", "image/svg+xml"),
        ("htmx.LICENSE.txt", None),
        ("../view.py", None),
        ("nothing.css", None),
    ],
)
def test_static_files(name: str, kind: str | None) -> None:
    found = view.static(name)
    assert (found[1] if found else None) == kind


def test_the_version_names_the_files_that_are_there() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}", view.version())
    assert "htmx" in (view.STATIC / "htmx.min.js").read_text()
    assert "Zero-Clause BSD" in (view.STATIC / "htmx.LICENSE.txt").read_text()
