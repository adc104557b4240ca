from consoles import make_console
from proxy.console.status import Status


def test_a_console_is_of_one_state(status: Status) -> None:
    found = make_console(status)
    assert found.journal.path == status.state / "sluice.db"
    assert found.vault.path == status.state / "keys" / "console.json"
    assert found.exceptions.path == status.state / "exceptions.toml"
    assert found.registry.resolve() == status.release
    assert found.learning.latest is None
    assert len({make_console(status).invitation for _ in range(3)}) == 3
