"""Commands about who may do what, and why."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pacs_secure.cli.house import AsJson, archive_of, settings_of
from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.explanation import Explanation, Question
from pacs_secure.core.policies import Proposed

policy_app = typer.Typer(help="Who may do what, and why.", no_args_is_help=True)


@policy_app.command("check")
def policy_check(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="A folder of policy files; what ships by default.")] = None,
) -> None:
    """Say what is wrong with a policy: contradictions to its truth table, broken separation of duties."""
    from pacs_secure import bootstrap

    problems = bootstrap.policy_problems(settings_of(context), directory)
    for problem in problems:
        print(problem)
    raise typer.Exit(1 if problems else 0)


@policy_app.command("propose")
def policy_propose(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="A folder with all files of a policy.", exists=True)],
    reason: Annotated[str, typer.Option(help="Why, in 10 to 500 characters, for whoever approves it.")],
) -> None:
    """Propose a policy; it is in force once another person has approved it."""
    from pacs_secure import bootstrap

    texts = bootstrap.policy_texts(directory)
    with archive_of(context) as (archive, subject):
        proposal = archive.policies.propose(subject, None, texts, reason)
    print(f"{proposal.version} waits for the approval of another person")


@policy_app.command("list")
def policy_list(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the newest proposals, and what those that wait would change."""
    with archive_of(context) as (archive, subject):
        listed = archive.policies.listed(subject, None)
        version = archive.policies.in_force(subject, None).version
    if as_json:
        print(json.dumps({"in_force": version, "proposals": [_listed(one) for one in listed]}))
        return
    print(f"in force: {version}")
    for one in listed:
        proposal = one.proposal
        print(f"{proposal.version}  {_state(one):<9} {proposal.at:%Y-%m-%d %H:%M}  {one.person}: {one.reason}")
        for line in (*(f"- {line}" for line in one.removed), *(f"+ {line}" for line in one.added)):
            print(f"  {line}")
        if one.truths_changed:
            print(f"  {one.truths_changed} rows of the truth table change")


@policy_app.command("explain")
def policy_explain(
    context: typer.Context,
    subject: Annotated[str, typer.Option(help="Who: role[:person][@department]; the department follows the last @.")],
    action: Annotated[Action, typer.Option(help="What they want to do.")],
    purpose: Annotated[Purpose | None, typer.Option(help="Why; that of the role by default.")] = None,
    study: Annotated[str | None, typer.Option(help="Study Instance UID.")] = None,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="They have just proved themselves so.")
    ] = False,
    *,
    as_json: AsJson = False,
) -> None:
    """Explain a decision: the rule, the facts it rests on, and what would turn it."""
    role, person, department = _who(subject)
    question = Question(
        role,
        action,
        purpose,
        department,
        person,
        study_instance_uid=study,
        second_factor=second_factor,
    )
    with archive_of(context) as (archive, by):
        explanation = archive.explain.explain(by, None, question)
    if as_json:
        print(json.dumps(_told(explanation)))
        return
    for name, value in _told(explanation).items():
        if name != "turned_by":
            print(f"{name.replace('_', ' '):<20} {_said(value)}")
    print("what would turn it:")
    for together in explanation.turned_by:
        print(f"  {' and '.join(change.said for change in together)}")


def _who(text: str) -> tuple[Role, str, str]:
    before, at, after = text.rpartition("@")
    named, department = (before, after) if at else (after, "")
    role, _, person = named.partition(":")
    try:
        return Role(role), person, department
    except ValueError:
        known = ", ".join(Role)
        raise typer.BadParameter(f"a role is one of {known}", param_hint="--subject") from None


def _told(explanation: Explanation) -> dict[str, object]:
    relations = explanation.relations
    return {
        "decision": explanation.outcome,
        "rule": explanation.decision.rule,
        "policy_version": explanation.decision.policy_version,
        "purpose": explanation.purpose,
        "relations": None if relations is None else sorted(relations),
        "safeguards": sorted(explanation.safeguards),
        "held": explanation.held,
        "needs_second_factor": explanation.needs_second_factor,
        "turned_by": [[change.said for change in together] for together in explanation.turned_by],
    }


def _state(one: Proposed) -> str:
    if one.proposal.approval is not None:
        return "approved"
    return "outdated" if one.outdated else "pending"


def _listed(one: Proposed) -> dict[str, object]:
    return {
        "version": one.proposal.version,
        "replaces": one.proposal.replaces,
        "state": _state(one),
        "proposed_by": one.person,
        "reason": one.reason,
        "approved_by": one.approved_by or None,
        "removed": one.removed,
        "added": one.added,
        "truths_changed": one.truths_changed,
    }


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
