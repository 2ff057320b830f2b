"""What is told act by act: refusals by rule, what was passed on, and what oversight did."""

from uuid import uuid4

from pacs_secure.archive.report import counting
from pacs_secure.archive.report.register import Register
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.vocabulary import Action, Door, Role
from tests.unit.archive.report.entries import entry, rows

INVITED_RULE = "p, invitable, study:search study:read, TREAT, invited, ended protected, allow"


def registered(*drafts: Draft) -> Register:
    register = Register()
    for one in drafts:
        register.add(one)
    return register


def chapter(register: Register, name: str) -> list[dict[str, object]]:
    return rows(next(one for one in register.chapters() if one.name == name))


def test_refusals_are_counted_by_act_rule_and_door() -> None:
    refused = entry(Outcome.REFUSED, rule="default deny")
    register = registered(
        refused,
        refused,
        entry(Outcome.REFUSED, rule="refused at the door", door=Door.DIMSE, facts={"error": "NotFound"}),
    )

    assert rows(register.refusals()) == [
        {"action": "study:read", "rule": "default deny", "error": "", "door": "web", "acts": 2},
        {"action": "study:read", "rule": "refused at the door", "error": "NotFound", "door": "dimse", "acts": 1},
    ]
    assert rows(register.disclosures()) == [], "what was refused went nowhere"


def test_pictures_that_left_the_department_are_listed_by_recipient() -> None:
    patient = uuid4()

    def delivered(facts: dict[str, str | int], **who: object) -> list[Draft]:
        return [
            entry(patient=patient, facts={**facts, "objects": 9}, **who),  # type: ignore[arg-type]
            entry(Outcome.COMPLETED, patient=patient, facts={**facts, "objects": 2, "bytes": 70}, **who),  # type: ignore[arg-type]
        ]

    register = registered(
        *delivered({"from_institution": "south"}),
        *delivered({}, role=Role.GUEST, who="g.ast"),
        *delivered({"device": "WS1"}),
        *delivered({}, role=Role.WORKSTATION, who="WS2"),
        *delivered({}, rule=INVITED_RULE),
        *delivered({}),
        entry(role=Role.GUEST, who="g.ast", facts={"objects": "many"}),
        entry(Outcome.FAILED, role=Role.GUEST, who="g.ast", facts={"objects": "many"}),
    )
    told = {str(row["recipient_kind"]) + str(row["origin"]): row for row in rows(register.disclosures())}

    assert set(told) == {"institutionsouth", "guestsurgery", "devicesurgery", "invitedsurgery"}
    assert len(rows(register.disclosures())) == 5
    guest = told["guestsurgery"]
    assert (guest["reads"], guest["patients"], guest["objects"], guest["bytes"]) == (2, 1, 2, 70)


def test_shares_are_listed_and_who_was_invited() -> None:
    facts = {"share": "one", "invitee": "pseudonym", "protocol": "API"}
    share = entry(Outcome.COMPLETED, action=Action.SHARE_CREATE, facts=facts)
    register = registered(
        share, share, entry(Outcome.FAILED, action=Action.SHARE_CREATE), entry(action=Action.SHARE_REDEEM)
    )

    assert rows(register.recipients()) == [{"actor": "pseudonym", "shares": 2}]
    assert [row["facts"] for row in chapter(register, "sharing")] == [
        "invitee=pseudonym; share=one",
        "invitee=pseudonym; share=one",
        "",
    ]


def test_every_kind_of_change_and_oversight_has_its_chapter() -> None:
    acts = {
        "erasures": Action.STUDY_ERASE,
        "policy": Action.POLICY_APPROVE,
        "keys": Action.DEVICE_ENROL,
        "revocations": Action.SESSION_REVOKE,
        "alarms": Action.SYSTEM_ALARM,
        "oversight": Action.LEDGER_READ,
    }
    register = registered(*(entry(Outcome.COMPLETED, action=action) for action in acts.values()))

    assert {name: [row["action"] for row in chapter(register, name)] for name in acts} == {
        name: [action.value] for name, action in acts.items()
    }


def test_long_chapters_are_cut_and_the_rest_is_counted() -> None:
    one = entry(Outcome.COMPLETED, action=Action.LEDGER_READ, facts={"reason": "x" * 500})
    register = registered(*[one] * (counting.MOST_LISTED + 2))
    (oversight,) = (table for table in register.chapters() if table.name == "oversight")

    assert (len(oversight.rows), oversight.more) == (counting.MOST_LISTED, 2)
    assert len(str(oversight.rows[0][-1])) == 200
