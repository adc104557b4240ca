"""The names of the strategies, torch-free: what `--strategy` takes and what it means.

two-stage                 a way to train, with the protections that are its default
full+ewc                  the same ways with other protections: these instead of the default ones
full+plain                with none, to see what they are for
"""

from typing import Final, NamedTuple

from classifier.errors import UserError

DEFAULT: Final = "full+replay+ewc"
"""The best of those that kept the base, on development sites and beyond (docs/decisions.md)."""

WAYS: Final = {
    "two-stage": "the head alone first, then every layer at rates that fall towards the input",
    "feature-based": "a new reading of frozen features: only the head moves",
    "full": "every layer at one low rate",
    "gradual": "one layer more a stage, from the head down",
    "layers": "the layers in which a probe finds the strongest relative gradient",
    "first-block": "only what reads the bytes and n-grams",
    "last-block": "only the last two layers",
    "progressive": "a new narrow column beside the frozen network (progressive network)",
    "site-head": "a second, site-specific head behind a learned gate; the network is frozen",
    "from-scratch": "a new network, as the comparison",
}
PARTS: Final = {
    "replay": "half of every batch is base traffic",
    "l2-sp": "a pull back to the incumbent's weights",
    "ewc": "the same, stronger where the base's Fisher information is high (elastic weight consolidation)",
    "lwf": "the incumbent's own answers on the site's traffic are kept (learning without forgetting)",
    "pu": "captures count as unlabelled, a few perhaps hostile, not as benign (positive-unlabelled learning)",
    "wise": "the weights are mixed with the incumbent's as far as validation says (WiSE-FT)",
}
PLAIN: Final = "plain"
_USUAL: Final = frozenset({"replay", "l2-sp"})
_OWN: Final = {way: frozenset({"replay"}) for way in ("progressive", "site-head", "from-scratch")}
_OTHER_NETWORK: Final = {"l2-sp", "ewc", "wise"}
"""Parts that compare weights one by one, which a network of another make does not allow."""


class Name(NamedTuple):
    """A strategy as it is asked for."""

    text: str
    way: str
    parts: frozenset[str]


def parse(text: str) -> Name:
    """`WAY[+PART…]`. Raises UserError that names what is known."""
    way, *parts = text.split("+")
    if way not in WAYS:
        raise UserError(f"unknown strategy {way!r}; one of {', '.join(WAYS)}")
    if not parts:
        return Name(text, way, _OWN.get(way, _USUAL))
    for part in parts:
        if part not in PARTS and part != PLAIN:
            raise UserError(f"strategy {text}: unknown part {part!r}; one of {', '.join((*PARTS, PLAIN))}")
    if PLAIN in parts and len(parts) > 1:
        raise UserError(f"strategy {text}: {PLAIN} means no other part")
    if way in _OWN and (wrong := _OTHER_NETWORK & set(parts)):
        raise UserError(f"strategy {text}: {', '.join(sorted(wrong))} needs the incumbent's own weights; leave it out")
    return Name(text, way, frozenset(parts) - {PLAIN})
