"""Commands that start, serve and end an archive, and the development issuer's tokens."""

from datetime import timedelta
from typing import Annotated

import typer

from pacs_secure.cli.house import DEFAULT_DATA, AsJson, Certificates, Data, certificate_file, settings_of
from pacs_secure.core.access import DEFAULT_DEPARTMENT, Purpose, Role
from pacs_secure.core.identifiers import institution

app = typer.Typer()
AT_A_DEVICE = timedelta(minutes=10)


@app.command("quickstart")
def quickstart_command(
    data: Data = DEFAULT_DATA,
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready and leave it running.")] = False,
    sample: Annotated[
        bool, typer.Option("--sample/--no-sample", help="Store sample studies at the first start.")
    ] = True,
    tour: Annotated[bool, typer.Option("--tour", help="Show what the archive does, step by step.")] = False,
    ports: Annotated[str, typer.Option("--ports", help="auto: free ports, kept for later starts.")] = "auto",
) -> None:
    """Start a whole archive on this machine: keys, ledger, doors and sample studies, on loopback only."""
    from pacs_secure.quickstart import command

    if ports != "auto":
        raise typer.BadParameter("only 'auto' is known", param_hint="--ports")
    command.start(data.resolve(), detach=detach, sample=sample, tour=tour)


@app.command("stop")
def stop_command(data: Data = DEFAULT_DATA) -> None:
    """End exactly what the quickstart of this directory started."""
    from pacs_secure.quickstart import command

    command.stop(data.resolve())


@app.command("status")
def status_command(data: Data = DEFAULT_DATA, *, as_json: AsJson = False) -> None:
    """Show what the quickstart of this directory started; status 1 when something is not running."""
    from pacs_secure.quickstart import command

    raise typer.Exit(command.status(data.resolve(), as_json=as_json))


@app.command()
def serve(context: typer.Context) -> None:
    """Open the doors and serve until the process is asked to end."""
    from pacs_secure import serving

    serving.serve(settings_of(context))


@app.command()
def token(
    context: typer.Context,
    role: Annotated[Role, typer.Option(help="What the holder is.")],
    user: Annotated[str | None, typer.Option(help="Who the holder is; the role's name by default.")] = None,
    department: Annotated[str, typer.Option(help="Where the holder works.")] = DEFAULT_DEPARTMENT,
    purpose: Annotated[Purpose | None, typer.Option(help="Purpose of use claimed by the token.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=24)] = 8,
    device: Annotated[
        str | None, typer.Option(help="AE title of the device that the holder sits at: ten minutes, for once.")
    ] = None,
    certificates: Certificates = None,
) -> None:
    """Print an access token of the development issuer (never in production)."""
    from pacs_secure import identity

    chosen = settings_of(context)
    issuer = identity.development_issuer(chosen)
    of, life, behind = institution(chosen.institution), timedelta(hours=hours), None
    if device is not None:
        pem = certificate_file(context, certificates, device).read_bytes()
        life, behind = AT_A_DEVICE, identity.connection(chosen, pem)
    print(issuer.issue(role, user or role.value, department, purpose, of, life, behind))
