"""Base rows of a corpus, kept in the state between runs: to read half a million rows takes longer than to learn."""

from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from classifier.training.corpus import Row, digests
from finetune.replay import base_rows

FORM: Final = 1
"""Changes whenever the same corpus and seed give other rows."""


class _Kept(msgspec.Struct):
    practice: list[Row]
    questions: list[Row]


def remembered(corpus: Path | None, seed: int, folder: Path) -> tuple[list[Row], list[Row]]:
    """`replay.base_rows`, from `folder` where an earlier run left them there; those of another corpus are removed."""
    if corpus is None:
        return base_rows(None, seed)
    key = sha256(msgspec.json.encode((FORM, seed, digests(corpus)), order="sorted")).hexdigest()[:16]
    path = folder / f"base-{key}.msgpack"
    try:
        kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        kept = _Kept(*base_rows(corpus, seed))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.glob("base-*"):
            old.unlink()
        partial = path.with_suffix(".tmp")
        partial.write_bytes(msgspec.msgpack.encode(kept))
        partial.replace(path)
    return kept.practice, kept.questions
