"""Commands about who may do what, and why."""

import json
from typing import Annotated

import typer

from pacs_secure.cli.house import AsJson, archive_of, settings_of
from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.explanation import Explanation, Question

policy_app = typer.Typer(help="Who may do what, and why.", no_args_is_help=True)


@policy_app.command("check")
def policy_check(context: typer.Context) -> None:
    """Say what is wrong with the policy: contradictions to the truth table, broken separation of duties."""
    from pacs_secure import bootstrap

    problems = bootstrap.policy_problems(settings_of(context))
    for problem in problems:
        print(problem)
    raise typer.Exit(1 if problems else 0)


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


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
