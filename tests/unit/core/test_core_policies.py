"""What a change of the policy is: its digest, its truths, and what differs."""

from pacs_secure.core.policies import RULES, TRUTHS, differences, digest, with_truths

TABLE = "role,action,purpose,relation,expected,despite\ndpo,study:read,TREAT,own,hide,\nadmin,a,b,c,refuse,\n"


def test_a_digest_holds_names_and_texts_apart() -> None:
    assert digest({"a": "b", "c": "d"}) == digest({"c": "d", "a": "b"})
    assert len({digest(one) for one in ({"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""}, {})}) == 4


def test_a_row_of_the_truth_table_takes_the_place_of_the_one_about_the_same() -> None:
    changed = with_truths(TABLE, ["admin, a, b, c, allow, -", "new,a,b,c,refuse,"])

    assert changed.splitlines() == [*TABLE.splitlines()[:2], "admin, a, b, c, allow, -", "new,a,b,c,refuse,"]
    assert with_truths(TABLE, []) == TABLE


def test_what_differs_is_told_line_by_line_and_truths_are_counted() -> None:
    before = {RULES: "# a comment\np, one\np, two\n", TRUTHS: TABLE}
    after = {RULES: "p, two\n\np, three\n", TRUTHS: with_truths(TABLE, ["admin,a,b,c,allow,-", "x,a,b,c,refuse,"])}

    assert differences(before, after) == (
        ["policy.csv: # a comment", "policy.csv: p, one"],
        ["policy.csv: p, three"],
        2,
    )
    assert differences(before, before) == ([], [], 0)
