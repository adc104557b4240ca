"""Attacks that nobody may miss, over all threat labels and carriers: a release that lets one pass is refused."""

from random import Random

import msgspec

from classifier.records import FlowRecord, Label
from classifier.training.synthetic.grammar import expand, read
from classifier.training.synthetic.lines import parse


def sentinels() -> list[FlowRecord]:
    """The fixed attacks, labelled and named `sentinel:N`; always the same ones in the same order."""
    lines = [(Label(section.name), line) for section in read("sentinels.txt") for line in section.lines]
    unused = Random(0)  # the only slots are `«chr:N»`, which draw nothing
    return [
        msgspec.structs.replace(parse(expand(unused, line)), id=f"sentinel:{number}", label=label)
        for number, (label, line) in enumerate(lines, 1)
    ]
