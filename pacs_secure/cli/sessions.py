"""Commands about who is logged in."""

from typing import Annotated

import typer

from pacs_secure.cli.house import archive_of

session_app = typer.Typer(help="Logins and sessions.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger, sealed.")]


@session_app.command("revoke")
def session_revoke(
    context: typer.Context,
    person: Annotated[str, typer.Argument(help="Whose logins are void from now on, as tokens name them.")],
    reason: Reason,
    *,
    login: Annotated[bool, typer.Option("--login", help="PERSON is one login (jti or session) instead.")] = False,
) -> None:
    """Make every login of a person void: sessions and tokens, within ten seconds."""
    with archive_of(context) as (archive, subject):
        revocation = archive.sessions.revocation
        (revocation.revoke_login if login else revocation.revoke)(subject, person, reason)
    print("revoked")
