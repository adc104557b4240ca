from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label
from classifier.thresholds import Limits
from proxy.config import exceptions, load
from proxy.policy import CAUSES, Failure
from proxy.values import Address

FULL = """
[proxy]
listen = "0.0.0.0:3128"
admin = "[::1]:9090"
mode = "enforce"
workers = "auto"
upstream_ca = "ca.pem"
[model]
device = "cpu"
registry = "elsewhere"
channel = "canary"
[policy]
mode = "monitor"
do_not_decrypt = ["bank.example", ".health.example"]
on_failure = {streamed = "allow", exception = "block"}
budget = {wrong_blocks = "1/1000"}
thresholds = {"http/request" = {block = 0.97, sqli = {flag = 0.2}}, default = {threat = {flag = 0.5}}}
[[policy.rules]]
name = "list"
host_list = "hosts.txt"
client = ["10.0.0.0/8", "::1"]
path = "/admin"
method = ["post", "PUT"]
label = "scanner"
threat = 0.5
action = "block"
[[policy.exceptions]]
host = "*.intra.example"
owner = "ops"
reason = "ours"
expires = 2030-12-31
[capture]
max_age = "36h"
max_bytes = "500MiB"
[finetune]
corpus = "data"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "sluice.toml"
    file.write_text(text)
    return file


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("# comment\n0.0.0.0 ads.example\nbad.example # why\n\n! also\n")
    settings = load(written(tmp_path, FULL))
    assert (settings.proxy.listen, settings.proxy.admin) == (Address("0.0.0.0", 3128), Address("::1", 9090))
    assert (settings.mode, settings.proxy.workers) == ("monitor", "auto")
    assert settings.proxy.upstream_ca == tmp_path / "ca.pem"
    assert settings.model.registry == tmp_path / "elsewhere"
    assert settings.policy.thresholds["http/request"] == {"threat": Limits(block=0.97), "sqli": Limits(flag=0.2)}
    assert settings.policy.budget.point == "0.001"
    assert (settings.capture.max_age, settings.capture.max_bytes) == (36 * 3600, 500 * 1024**2)
    rule = settings.policy.rules[0]
    assert rule.label == {Label.SCANNER}
    hosts = rule.match().hosts
    assert hosts is not None
    assert "x.ads.example" in hosts and "bad.example" in hosts and "good.example" not in hosts


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert (settings.mode, settings.proxy.listen, settings.proxy.admin) == (
        "monitor",
        Address("127.0.0.1", 8080),
        Address("127.0.0.1", 8081),
    )


def test_a_file_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, '[policy]\nmode = "enforce"\n')
    assert load().mode == "enforce"


def test_options_win_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[proxy]\nlisten = "127.0.0.1:1"\nmode = "enforce"\n')
    settings = load(file, {"proxy": {"listen": "127.0.0.1:2", "admin": None}, "policy": {"mode": "monitor"}})
    assert (settings.proxy.listen.port, settings.mode) == (2, "monitor")


def test_the_mode_of_the_proxy_holds_where_the_policy_names_none(tmp_path: Path) -> None:
    assert load(written(tmp_path, '[proxy]\nmode = "enforce"\n')).mode == "enforce"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[prox]\nx = 1", "prox: unknown key, did you mean proxy?"),
        ("[proxy]\nlisen = 1", "proxy.lisen: unknown key, did you mean listen?"),
        ("[proxy]\nzzz = 1", "proxy.zzz: unknown key, known are listen, admin, mode, workers, recycle_after"),
        ('[proxy]\nlisten = "8080"', "proxy.listen: must be HOST:PORT, not '8080'"),
        ('[proxy]\nlisten = "h:99999"', "proxy.listen: must be HOST:PORT"),
        ("[proxy]\nworkers = 0", "proxy.workers: must be auto or a number from 1"),
        ('[model]\ndevice = "gpu"', "model.device: must be 'auto', 'cuda' or 'cpu', not 'gpu'"),
        ('[policy]\nmode = "block"', "policy.mode: must be 'monitor' or 'enforce', not 'block'"),
        ('policy = "x"', "policy: must be a table"),
        ('[policy]\non_failure = "deny"', "policy.on_failure: must be allow or block"),
        ('[policy]\non_failure = {slow = "block"}', "policy.on_failure: slow: no cause, known are deadline, overload"),
        ('[policy]\nbudget = {wrong_blocks = "1/1000000"}', "policy.budget: no shipped threshold"),
        ('[policy]\nbudget = "few"', "policy.budget: must be {wrong_blocks"),
        (
            '[policy]\nthresholds = {"http" = {block = 1}}',
            "policy.thresholds: http: no kind/phase, did you mean http/end?",
        ),
        ("[policy]\nthresholds = {default = {sqly = {block = 1}}}", "sqly: no label, did you mean sqli?"),
        ('[[policy.rules]]\nhost = "x"', "policy.rules[1].action: missing"),
        ('[[policy.rules]]\naction = "drop"', "policy.rules[1].action: must be 'allow', 'flag' or 'block'"),
        (
            '[[policy.rules]]\naction = "block"\nlabel = "bad"',
            "policy.rules[1].label: 'bad' is no label, known are benign, tracker",
        ),
        (
            '[[policy.rules]]\naction = "block"\nclient = "10"',
            "policy.rules[1].client: must be an address or a network",
        ),
        ('[[policy.rules]]\naction = "block"\nhost_list = "gone"', "policy.rules[1].host_list: cannot read"),
        (
            '[[policy.rules]]\naction = "block"\nthreat = 2',
            "policy.rules[1].threat: input should be less than or equal",
        ),
        (
            '[[policy.exceptions]]\nhost = "x"',
            "policy.exceptions[1].owner: missing; policy.exceptions[1].reason: missing",
        ),
        ('[[policy.exceptions]]\nexpires = "soon"', "policy.exceptions[1].expires: must be a date like 2030-12-31"),
        ('[capture]\nmax_age = "3y"', "capture.max_age: must be seconds or a text like 12h or 14d, not '3y'"),
        ("[capture]\nmax_bytes = -1", "capture.max_bytes: must be bytes or a text like 500MiB or 4GiB, not -1"),
        ('[[policy.rules]]\nhots = "x"\naction = "block"', "policy.rules[1].hots: unknown key, did you mean host?"),
        ('[[policy.scopes]]\nmod = "enforce"', "policy.scopes[1].mod: unknown key, did you mean mode?"),
        ("[[policy.scopes]]\nenforce_percent = 101", "policy.scopes[1].enforce_percent: input should be less than"),
        ("[policy]\nenforce_percent = -1", "policy.enforce_percent: input should be greater than or equal to 0"),
        ("[policy.pinned]\nfailurs = 1", "policy.pinned.failurs: unknown key, did you mean failures?"),
        ("[policy]\npinned = {of = 0}", "policy.pinned.of: input should be greater than or equal to 1"),
        ('[policy]\ncontinue_once = "soon"', "policy.continue_once: must be off, seconds or a text like 10m"),
        ('[policy]\nnever_continue = "malwar"', "policy.never_continue: 'malwar' is no label, did you mean malware?"),
        ('[[policy.rules]]\naction = "block"\nadblock_list = "gone"', "policy.rules[1].adblock_list: cannot read"),
        ('[[policy.rules]]\naction = "block"\nhost = []', "policy.rules[1].host: must not be empty; left out, it fits"),
        ('[[policy.rules]]\naction = "block"\nlabel = []', "policy.rules[1].label: must not be empty"),
        ("[proxy", "is not TOML"),
    ],
)
def test_a_mistake_names_its_key_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load(written(tmp_path, text))
    assert said in str(caught.value)
    assert str(tmp_path / "sluice.toml") in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(written(tmp_path, '[proxy]\nlisten = "x"\n[capture]\nmax_age = "y"\n'))
    assert "proxy.listen" in str(caught.value) and "capture.max_age" in str(caught.value)


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        load(tmp_path / "none.toml")


def test_one_word_on_failure_holds_for_every_cause(tmp_path: Path) -> None:
    policy = load(written(tmp_path, '[policy]\non_failure = "block"\n')).build_policy({})
    assert {policy.decide(FlowRecord(), Failure(cause)).action for cause in CAUSES} == {"block"}


@pytest.mark.parametrize(
    ("text", "options", "mode", "cause", "uniform"),
    [
        ("", {}, "monitor", "the default", True),
        ('[proxy]\nmode = "enforce"', {}, "enforce", "proxy.mode", True),
        ('[proxy]\nmode = "enforce"\n[policy]\nmode = "monitor"', {}, "monitor", "policy.mode", True),
        ('[policy]\nmode = "monitor"', {"mode": "enforce"}, "enforce", "--mode", True),
        ('[policy]\nmode = "monitor"', {"mode": None}, "monitor", "policy.mode", True),
        ('[[policy.scopes]]\nmode = "enforce"', {}, "monitor", "the default", False),
        ('[[policy.scopes]]\nmode = "enforce"', {"mode": "monitor"}, "monitor", "--mode", True),
        ('[policy]\nmode = "enforce"\nenforce_percent = 50', {}, "enforce", "policy.mode", False),
    ],
)
def test_the_mode_and_what_sets_it(
    tmp_path: Path, text: str, options: dict[str, str], mode: str, cause: str, uniform: bool
) -> None:
    settings = load(written(tmp_path, text), {"policy": options})
    assert (settings.mode, settings.cause, settings.uniform) == (mode, cause, uniform)
    if uniform:
        assert settings.build_policy({}).effective(FlowRecord(client="10.0.0.1")) == (mode, cause)


def test_exceptions_of_the_state_directory_are_read(tmp_path: Path) -> None:
    assert exceptions(tmp_path) == []
    (tmp_path / "exceptions.toml").write_text('[[policy.exceptions]]\nhost = "x"\nowner = "o"\nreason = "r"\n')
    assert [(item.name, item.owner, item.retires) for item in exceptions(tmp_path)] == [("exception 1", "o", False)]
    (tmp_path / "exceptions.toml").write_text("[policy\n")
    with pytest.raises(UserError, match=r"exceptions\.toml is not TOML"):
        exceptions(tmp_path)


def test_an_empty_list_file_means_nobody(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# nothing yet\n")
    text = '[[policy.rules]]\nhost_list = "list.txt"\naction = "block"\n'
    policy = load(written(tmp_path, text)).build_policy({})
    assert policy.decide(FlowRecord(host="a.example"), Failure("nan")).action == "allow"
