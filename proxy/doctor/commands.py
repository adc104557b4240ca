"""`sluice doctor`."""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from classifier.errors import UserError
from classifier.options import STATE, Config, State
from proxy.doctor.finding import Finding

if TYPE_CHECKING:
    from proxy.values import Address


def doctor(
    config: Config = None,
    state: State = STATE,
    reach: Annotated[
        list[str] | None, typer.Option("--reach", help="HOST:PORT of an origin that must be reachable; again for more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check that everything is fit to serve, and say what to do where it is not (exit code 1: something is not)."""
    from proxy.doctor.examine import examine

    found = list(examine(config, state, [_target(text) for text in reach or []]))
    if as_json:
        print(msgspec.json.encode({"findings": found}).decode())
    else:
        _table(found)
    if any(each.level == "fail" for each in found):
        raise typer.Exit(1)


def _target(text: str) -> "Address":
    from proxy.values import address

    try:
        return address(text)
    except ValueError as error:
        raise UserError(f"--reach {text}: {error}") from None


def _table(found: list[Finding]) -> None:
    for each in found:
        print(f"{each.level:<4}  {each.check:<13}  {each.what}")
        if each.fix:
            print(f"{'':<21}→ {each.fix}")
    counts = [sum(each.level == level for each in found) for level in ("fail", "warn")]
    print("all is fit to serve" if not any(counts) else f"{counts[0]} to mend, {counts[1]} to look at")
