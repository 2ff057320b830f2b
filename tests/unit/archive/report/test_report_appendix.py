"""The appendix says how things stand, asked of the running archive."""

from pacs_secure.archive.report.appendix import Appendix
from pacs_secure.core.reports import Installation, Point
from tests.builders import HERE
from tests.unit.archive.report.entries import entry, tallied
from tests.world import World


def test_measures_come_from_rules_devices_and_settings(world: World) -> None:
    engines = world.house.engines
    configured = Point("invitations", {"days": 90})
    appendix = Appendix(engines.policy, engines.devices, Installation("1", measures=(configured,)))
    told = {point.name: point.values for point in appendix.measures(HERE)}

    assert told["second-factor"] == {"roles": "admin dpo officer"}
    assert told["devices"] == {"enrolled": 0, "revoked": 0}
    assert told["invitations"] == {"days": 90}
    assert str(told["roles"]["policy"]) in engines.policy.version


def test_the_record_of_processing_counts_whom_the_period_concerned(world: World) -> None:
    engines, tally = world.house.engines, tallied([entry()])
    appendix = Appendix(engines.policy, engines.devices, Installation("1"))
    told = {point.name: point.values for point in appendix.processing(tally.counting.totals(), tally.chapters())}

    assert told["data-subjects"] == {"patients": 0, "persons": 1}
    assert "TREAT" in str(told["purposes"]["purposes"])
    assert {"controller", "third-countries", "time-limits", "security"} <= told.keys()
