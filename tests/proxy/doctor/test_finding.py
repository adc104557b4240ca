from proxy.doctor.finding import Finding, fail, fine, warn


def test_only_what_is_fine_needs_no_cure() -> None:
    assert fine("disk", "room") == Finding("disk", "ok", "room", "")
    assert warn("disk", "little", "make room").level == "warn"
    assert fail("disk", "none", "make room").fix == "make room"
