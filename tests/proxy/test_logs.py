import subprocess
import sys

SCRIPT = """
import logging
from proxy import logs
logs.configure()
logging.getLogger("proxy.x").info("release %s serves", "r1")
logging.getLogger("mitmproxy.proxy").warning("client says hunter2")
logging.getLogger("uvicorn").info("chatter")
try:
    secret = "hunter2"
    raise ValueError("odd")
except ValueError:
    logging.getLogger("proxy.x").exception("broken")
"""


def test_messages_are_lines_without_chatter_or_local_values() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout == ""
    assert "release r1 serves" in done.stderr
    assert "ValueError: odd" in done.stderr
    assert "client says" not in done.stderr and "chatter" not in done.stderr
    assert "hunter2" not in done.stderr
