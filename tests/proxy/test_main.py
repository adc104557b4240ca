import socket

import pytest

from classifier.errors import UserError
from proxy.main import bind
from proxy.values import Address


def test_a_free_port_is_bound() -> None:
    with bind(Address("127.0.0.1", 0), "--listen") as bound:
        assert bound.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_names_the_option() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UserError, match=r"in use; choose another with --admin"),
    ):
        bind(Address("127.0.0.1", taken.getsockname()[1]), "--admin")


def test_an_address_that_is_not_ours_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"cannot listen on 192\.0\.2\.1:80"):
        bind(Address("192.0.2.1", 80), "--listen")
