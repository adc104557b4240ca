"""Every question in its order. What depends on an answer that failed is not asked."""

import datetime
from collections.abc import Iterator
from pathlib import Path

from classifier.errors import UserError
from classifier.registry import Registry
from proxy import config
from proxy.config import Settings
from proxy.doctor import machine, places
from proxy.doctor.finding import Finding, fail, fine, warn
from proxy.values import Address


def examine(file: Path | None, state: Path, targets: list[Address]) -> Iterator[Finding]:
    """All findings; a configuration that cannot be read ends them."""
    now = datetime.datetime.now(datetime.UTC)
    try:
        settings = config.load(file)
    except UserError as error:
        yield fail("configuration", str(error), "correct it; `sluice policy check FILE` says more")
        return
    yield fine("configuration", f"mode {settings.mode}, set by {settings.cause}")
    yield places.writable(state)
    yield from places.private(state)
    yield places.room(state, settings.capture.max_bytes)
    yield from places.authority(state, now)
    yield from _model(settings, state, now)
    yield from _ports(settings)
    yield machine.files()
    yield machine.route()
    for target in targets:
        yield machine.reach(target)


def _model(settings: Settings, state: Path, now: datetime.datetime) -> Iterator[Finding]:
    registry = Registry(settings.model.registry or state)
    try:
        yield places.releases(registry, settings.model.channel)
        model = registry.load(registry.resolve(settings.model.channel), settings.model.device)
    except UserError as error:
        yield fail("model", str(error), "promote another release, or roll back: `sluice model ls`")
        return
    yield fine("model", f"{model.release} proves itself; features {model.card.schema[:12]}")
    yield _device(settings.model.device, model.provider)
    made = datetime.datetime.fromisoformat(model.card.created) if model.card.created else now
    yield machine.clock(now, made, state / "captures")


def _device(wanted: str, provider: str) -> Finding:
    from classifier import runtime

    told = f"scores on {provider} (device = {wanted})"
    if wanted == "auto" and provider == runtime.CPU and runtime.has_nvidia():
        hint = "install sluice-proxy[cuda], or say device = cpu; device = cuda names the reason"
        return warn("device", f"{told} although an NVIDIA device is there", hint)
    return fine("device", told)


def _ports(settings: Settings) -> Iterator[Finding]:
    answer = machine.running(settings.proxy.admin)
    if answer is None:
        yield machine.port("proxy port", settings.proxy.listen, "--listen")
        yield machine.port("admin port", settings.proxy.admin, "--admin")
    elif answer[0] == 200:
        yield fine("proxy", f"a proxy is running and ready (admin port {settings.proxy.admin})")
    else:
        yield warn("proxy", f"a proxy is running and not ready: {answer[1][:200]}", "wait, or read its log")
