"""Attacks that nobody may miss, over all threat labels and carriers.

A release that lets one pass is refused by fine-tuning's gates and sent home from a trial, and the proxy's own
heartbeat sends them through the data path. All of them are made up; their hosts are reserved names (RFC 2606),
documentation addresses (RFC 5737) or random words, and nobody ever contacts one.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from classifier.lines import parse
from classifier.records import FlowRecord, Label

_HEAD: Final = re.compile(r"\[\[(\w+)\]\]")
_SIGN: Final = re.compile(r"«chr:(\d+)»")


def sentinels() -> list[FlowRecord]:
    """The fixed attacks, labelled and named `sentinel:N`; always the same ones in the same order."""
    return list(_all())


@cache
def _all() -> tuple[FlowRecord, ...]:
    found: list[FlowRecord] = []
    label: Label | None = None
    for line in files(__package__).joinpath("sentinels.txt").read_text("utf-8").split("\n"):
        if head := _HEAD.fullmatch(line):
            label = Label(head[1])
        elif line and label is not None:  # what comes before the first label is a comment
            record = parse(_SIGN.sub(lambda sign: chr(int(sign[1])), line.replace("⏎", "\n")))
            found.append(msgspec.structs.replace(record, id=f"sentinel:{len(found) + 1}", label=label))
    return tuple(found)
