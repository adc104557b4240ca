"""Base rows, kept in the state between runs: to read half a million rows of a corpus takes longer than to learn."""

from hashlib import sha256
from pathlib import Path

import msgspec

from classifier import training
from classifier.training.corpus import Row, digests
from finetune import replay


class _Kept(msgspec.Struct):
    practice: list[Row]
    questions: list[Row]


def remembered(corpus: Path | None, seed: int, folder: Path) -> tuple[list[Row], list[Row]]:
    """`replay.base_rows`, from `folder` where an earlier run left them there; those of another corpus are removed."""
    sizes = (replay.PRACTISED, replay.ASKED, replay.CORPUS, replay.EACH)
    made_of = (seed, sizes, digests(corpus) if corpus else {}, _code())
    key = sha256(msgspec.json.encode(made_of, order="sorted")).hexdigest()[:16]
    path = folder / f"base-{key}.msgpack"
    try:
        kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        kept = _Kept(*replay.base_rows(corpus, seed))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.glob("base-*"):
            old.unlink()
        partial = path.with_suffix(".tmp")
        partial.write_bytes(msgspec.msgpack.encode(kept))
        partial.replace(path)
    return kept.practice, kept.questions


def _code() -> str:
    """A digest of what makes rows: grammars and rewriting change with a version."""
    folder = Path(training.__file__).parent
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".txt", ".toml"))
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
