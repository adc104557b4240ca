"""`sluice console password` and `sluice console token`: who may use the console and its API."""

import sys
from pathlib import Path
from typing import Annotated

import typer

StateOption = Annotated[Path, typer.Option("--state", help="State directory.", envvar="SLUICE_STATE")]

console = typer.Typer(no_args_is_help=True, help="Who may use the console and its API.")


@console.command()
def password(state: StateOption = Path("state")) -> None:
    """Set the console's password: asked for on a terminal, else the first line of standard input."""
    from proxy.console.vault import Vault

    given = _ask() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    Vault(state / "keys").set_password(given)
    print("The password is set; whoever was logged in must log in again.")


@console.command()
def token(state: StateOption = Path("state")) -> None:
    """Make the token of the JSON API and print it, once. The one before stops working."""
    from proxy.console.vault import Vault

    print(Vault(state / "keys").new_token())


def _ask() -> str:
    given: str = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    return given
