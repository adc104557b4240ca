"""Fetching the pinned archives over HTTPS: exactly that commit, resumed where it was cut, at most `LIMIT` bytes.

An unfinished download is kept as `.part` and goes on from its end when the server allows it (RFC 9110, section 14).
Only `HOST` is spoken to; addresses found in the data are never opened.
"""

import http.client
import os
import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from classifier.errors import UserError
from classifier.training.datasets import files
from classifier.training.datasets.manifest import Pin
from classifier.training.progress import Bar

HOST: Final = "https://codeload.github.com"
LIMIT: Final = 4 << 30
"""Bytes of one archive. The largest of the sources are repositories of packet captures."""
_CHUNK: Final = 1 << 20
_TIMEOUT: Final = 60.0


def fetch(pin: Pin, folder: Path, host: str = HOST, limit: int = LIMIT) -> Path:
    """The repository's archive in `folder`, fetched unless it is there. Raises UserError (exit code 1)."""
    kept = files.locate(folder, pin)
    if kept and not files.stale(kept, pin):
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{pin.folder}.tar.gz"
    part = target.with_name(f"{target.name}.{pin.commit[:12]}.part")
    try:
        _download(f"{host}/{pin}/tar.gz/{pin.commit}", part, str(pin), limit)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{pin}: cannot be fetched ({_reason(error)}); run again to go on", exit_code=1) from None
    told = files.stale(part, pin)
    if told:
        part.unlink()
        raise UserError(f"{pin}: asked for commit {pin.commit}, got {told}", exit_code=1)
    return part.rename(target)


def _download(url: str, part: Path, title: str, limit: int) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.build_opener(_SameHost).open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()  # complete already, or of something else: from the start
        return _download(url, part, title, limit)
    with answer:
        # a server that does not know ranges sends everything again
        have = have if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
        told = answer.headers.get("Content-Length")
        total = have + int(told) if told else None
        _room(part.parent, have, total, limit)
        _save(answer, part, have, total, title, limit)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a renamed repository, but to no other host and never from HTTPS to HTTP."""

    def redirect_request(self, req: urllib.request.Request, *args: Any) -> urllib.request.Request | None:
        """The new request, or none: the answer is an error then."""
        new = super().redirect_request(req, *args)
        return new if new and (new.type, new.host) == (req.type, req.host) else None


def _save(answer: http.client.HTTPResponse, part: Path, have: int, total: int | None, title: str, limit: int) -> None:
    with part.open("ab" if have else "wb") as file, Bar(f"Fetching {title}", total) as bar:
        while chunk := answer.read(_CHUNK):
            have += len(chunk)
            if have > limit:
                raise OSError(f"more than {limit:,} bytes")
            file.write(chunk)
            bar.at(have)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and have < total:
        raise OSError(f"cut after {have:,} of {total:,} bytes")


def _room(folder: Path, have: int, total: int | None, limit: int) -> None:
    if total is not None and total > limit:
        raise OSError(f"{total:,} bytes, more than {limit:,}")
    if total is not None and total - have > shutil.disk_usage(folder).free:
        raise OSError(f"{total:,} bytes do not fit on the disk")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", error) or type(error).__name__)
