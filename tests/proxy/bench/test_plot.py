"""The picture shows every variant, and is well-formed whatever they are called."""

from xml.etree import ElementTree

from proxy.bench.plot import svg
from proxy.bench.report import Figures


def rounds(*rates: float) -> list[Figures]:
    return [Figures(rate, 1.0, 1.0, 1.0, 0.1) for rate in rates]


def test_every_variant_is_named_with_its_median_and_ratio() -> None:
    drawn = svg({"stock": rounds(100, 300, 200), "a < b": rounds(500)}, "one & all")
    said = [text.text for text in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert said[:5] == ["one & all", "stock", "200 (1.00x)", "a < b", "500 (2.50x)"]


def test_a_longer_bar_is_faster() -> None:
    tree = ElementTree.fromstring(svg({"stock": rounds(100), "core": rounds(200)}, "t"))
    _, slow, fast = (float(box.get("width", "0").rstrip("%")) for box in tree.iter("{http://www.w3.org/2000/svg}rect"))
    assert fast == 2 * slow
