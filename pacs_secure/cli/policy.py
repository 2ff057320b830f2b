"""Commands about who may do what, and why."""

import typer

from pacs_secure.cli.house import settings_of

policy_app = typer.Typer(help="Who may do what, and why.", no_args_is_help=True)


@policy_app.command("check")
def policy_check(context: typer.Context) -> None:
    """Say what is wrong with the policy: contradictions to the truth table, broken separation of duties."""
    from pacs_secure import bootstrap

    problems = bootstrap.policy_problems(settings_of(context))
    for problem in problems:
        print(problem)
    raise typer.Exit(1 if problems else 0)
