"""The command that sends files to the archive, as a device would."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from pacs_secure.cli.house import Certificates, certificate_file, err, settings_of

app = typer.Typer()


@app.command()
def store(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Part 10 files or folders of them.", exists=True)],
    device: Annotated[str, typer.Option(help="AE title of the enrolled device to send as.")] = "MODALITY1",
    certificates: Certificates = None,
) -> None:
    """Send files or folders to the archive over TLS DICOM; status 1 when one was not stored."""
    from pacs_secure.dimse.sender import Sent, send
    from pacs_secure.dimse.tls import client_context

    chosen = settings_of(context)
    certificate = certificate_file(context, certificates, device)
    tls = client_context(str(certificate), str(certificate.with_suffix(".key")), str(chosen.dicom.ca_file))
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("sending", total=None)

        def advance(sent: Sent) -> None:
            progress.update(task, completed=sent.done, total=sent.total)
            if not sent.stored:
                reason = sent.problem or f"status 0x{sent.status:04X}"
                err.print(f"[red]not stored[/red]: {sent.path}: {reason}", highlight=False, soft_wrap=True)

        dicom = chosen.dicom
        summary = send(paths, dicom.host, dicom.port, dicom.ae_title, device, tls, advance)
    print(
        f"{summary.stored} stored, {len(summary.failed)} not stored, {summary.skipped} files that are no DICOM instance"
    )
    raise typer.Exit(1 if summary.failed else 0)
