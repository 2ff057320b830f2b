"""A running archive: its doors open, its ledger attested, until it is asked to end."""

import logging
import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pacs_secure import __version__, identity, measures, upkeep
from pacs_secure.adapters.list_files import ListFile
from pacs_secure.adapters.vault_authority import VaultRevocations
from pacs_secure.adapters.vault_keyring import VaultCanary
from pacs_secure.adapters.watching import FileWatch
from pacs_secure.archive import resurrection
from pacs_secure.archive.readiness import Readiness
from pacs_secure.archive.vouching import Vouching
from pacs_secure.bootstrap import open_house
from pacs_secure.core.access import AccessRequest, Action, Door, Role, Subject
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import institution
from pacs_secure.dimse.credentials import Credentials, TlsFiles
from pacs_secure.dimse.household import People
from pacs_secure.dimse.server import DicomServer
from pacs_secure.house import House
from pacs_secure.ports import RevocationLists
from pacs_secure.settings import Settings
from pacs_secure.stores import sweep
from pacs_secure.vault import Vault
from pacs_secure.web import metrics
from pacs_secure.web.app import create_app
from pacs_secure.web.multipart import UploadLimits
from pacs_secure.web.server import Certificate, Server
from pacs_secure.web.server import serve as open_web_door

log = logging.getLogger(__name__)

OLDEST_TEMPORARY = timedelta(hours=1)
LOOK_AT_POLICIES = 2.0
"""Seconds after which a policy that another process approved is in force here."""
LOOK_AT_FILES = 3.0
"""Seconds after which a replaced certificate file is read."""


def serve(settings: Settings) -> None:
    """Open the doors and serve until SIGTERM or SIGINT; nothing acknowledged is lost when it ends.

    1. harden    no core dumps, no file for others
    2. open      the engines, with the newest approved policy
    3. recover   what a crash left, and say that the archive starts
    4. attest    the ledger, from now on, before witnesses; tell the officer what waits, pass entries on
    5. listen    to the canary, then at the doors
    6. wait      and close in reverse
    """
    # 1 harden
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ending = _until_signal()
    with ExitStack() as stack:
        # 2 open
        vault = Vault(settings, stack)
        house = open_house(settings, stack, vault)
        house.archive.policies.follow()
        upkeep.keep("policy", LOOK_AT_POLICIES, house.archive.policies.follow, stack)
        house.engines.leader.start(upkeep.alarm_of(settings, house))
        stack.callback(house.engines.leader.stop)
        # 3 recover
        _recover(settings, house)
        vault.tell(upkeep.alarm_of(settings, house))
        vault.demand_whole()
        # 4 attest
        upkeep.start_witnessing(settings, house, stack)
        upkeep.start_notary(settings, house, vault, stack)
        stack.callback(_say_that_it_stops, settings, house)
        upkeep.start_watches(settings, house, stack)
        upkeep.start_notifiers(settings, house, stack)
        upkeep.start_forwarders(settings, house, stack)
        upkeep.start_expiring(settings, house, stack)
        upkeep.start_rewrapping(settings, house, ending, stack)
        upkeep.start_filling(settings, house, stack)
        upkeep.start_scrub(settings, house, stack)
        upkeep.start_replicating(settings, house, stack)
        # 5 listen
        readiness = _start_readiness(settings, house, vault, stack)
        readiness.check()  # no door opens where keys or ledger do not work (ACC-11)
        gauges = _measure(settings, house, readiness)
        upkeep.start_backups(settings, house, vault, gauges, stack)
        _open_doors(settings, house, vault, readiness, gauges, stack)
        log.info("the archive is open")
        # 6 wait
        ending.wait()
        log.info("the archive closes")


def _recover(settings: Settings, house: House) -> None:
    rebuild = house.engines.rebuilds.newest()
    if rebuild is not None and rebuild.finished_at is None:
        raise Unavailable("the index is being rebuilt: let `pacs-secure verify --rebuild-index` come to its end first")
    published = house.engines.publisher.published()
    if published and not house.engines.ledger.size():
        # A new ledger would contradict the one that witnesses have seen.
        lost = f"the database is empty, and {published} entries were published of its ledger"
        raise Unavailable(f"{lost}: restore it, or run `pacs-secure verify --rebuild-index`")
    sweep([house.engines.blobs, house.engines.second], OLDEST_TEMPORARY)
    closed = house.archive.recovery.close_open_acts(datetime.now(UTC))
    if closed:
        log.warning("%s acts that a crash had left open were closed", closed)
    facts: dict[str, str | int] = {"version": __version__, "closed": closed}
    house.archive.guard.announce(institution(settings.institution), Action.SYSTEM_START, facts)


def _say_that_it_stops(settings: Settings, house: House) -> None:
    try:
        house.archive.guard.announce(institution(settings.institution), Action.SYSTEM_STOP, {})
    except Unavailable as error:
        log.warning("the ledger does not know that the archive stops: %s", error)


def _start_readiness(settings: Settings, house: House, vault: Vault, stack: ExitStack) -> Readiness:
    of = institution(settings.institution)
    canary = VaultCanary(vault.session("store"), vault.session("reader"), of)
    readiness = Readiness(canary, house.engines.ledger, house.drop_keys, house.archive.guard, of, house.resurrection)
    readiness.start()
    stack.callback(readiness.stop)
    house.unburied.look()
    house.resurrection.look_at_all()
    upkeep.keep("tombstones", resurrection.EVERY_SECONDS, house.resurrection.look, stack)
    return readiness


def _measure(settings: Settings, house: House, readiness: Readiness) -> metrics.PrometheusGauges:
    gauges, engines = metrics.PrometheusGauges(), house.engines
    vouching = Vouching(engines.publisher, engines.origin, engines.public_key, engines.witnesses)
    measures.measure_ledger(gauges, engines.ledger, engines.publisher, vouching, house.archive.verify.now)
    measures.measure_scrub(gauges, engines.scrubs, house.archive.verify.now)
    measures.measure_objects(gauges, house.archive.copies, house.archive.replication, house.archive.verify.now)
    if engines.pool is not None:
        measures.measure_pool(gauges, engines.pool)
    if house.archive.rekey.able:
        of = institution(settings.institution)
        measures.measure_keys(gauges, house.archive.rekey, of, house.archive.verify.now)
    measures.measure_machine(gauges, settings.objects.directory, readiness.check)
    return gauges


def _open_doors(
    settings: Settings,
    house: House,
    vault: Vault,
    readiness: Readiness,
    gauges: metrics.PrometheusGauges,
    stack: ExitStack,
) -> None:
    of = institution(settings.institution)
    authenticator = identity.authenticator(settings)
    dicom, web = settings.dicom, settings.web
    credentials = _dicom_credentials(settings, house, vault)
    credentials.look_at_lists()
    context = credentials.context()
    devices, people = house.engines.devices, _people(settings, house)
    dicom_door = DicomServer(house.archive, devices, of, dicom.ae_title, dicom.host, dicom.port, context, people=people)
    credentials.install_by(dicom_door.replace_certificate)
    limits, provider = UploadLimits(part_bytes=web.largest_instance), identity.login_provider(settings)
    watched = metrics.routes(gauges, lambda: measures.watchers_token(web.metrics_token_file))
    app = create_app(house.archive, authenticator, of, readiness.check, limits, provider, watched)
    certificate = Certificate(web.certificate_file, web.key_file)
    web_door = open_web_door(app, web.host, web.port, certificate)
    dicom_door.start()
    stack.callback(dicom_door.stop)
    web_door.start()
    stack.callback(web_door.stop)
    upkeep.keep("revocation-lists", dicom.revocation_every, credentials.look_at_lists, stack)
    files = (dicom.certificate_file, dicom.key_file, dicom.ca_file)
    _keep_reading("dicom-certificate", files, credentials.look_at_files, stack)
    _keep_reading("web-certificate", (web.certificate_file, web.key_file), lambda: _renew(web_door, certificate), stack)


def _people(settings: Settings, house: House) -> People | None:
    """Return how the DICOM door proves who stands behind a device."""
    used = house.engines.used_tokens
    if used is None:
        return None
    return People(
        identity.device_authenticator(settings, used),
        house.archive.sessions.revocation.demand_valid,
        lambda: datetime.now(UTC),
    )


def _dicom_credentials(settings: Settings, house: House, vault: Vault) -> Credentials:
    dicom, of = settings.dicom, institution(settings.institution)
    archive = Subject("archive", Role.STRANGER, of, "", Door.JOB, "")

    def alarm(reason: str) -> None:
        details = {"protocol": "A-ASSOCIATE", "reason": reason}
        try:
            house.archive.guard.refuse(AccessRequest(archive, Action.ASSOCIATION_OPEN, None, details=details), {})
        except Unavailable as error:
            log.error("the alarm could not be recorded: %s", error)  # noqa: TRY400 - the words say it

    files = TlsFiles(dicom.certificate_file, dicom.key_file, dicom.ca_file)
    of_the_vault = VaultRevocations(vault.anonymous(), vault.session_if_given("revoker"))
    sources: list[RevocationLists] = [of_the_vault, *map(ListFile, dicom.revocation_lists)]
    return Credentials(files, sources, alarm, lambda: datetime.now(UTC))


def _keep_reading(name: str, files: tuple[Path, ...], act: Callable[[], object], stack: ExitStack) -> None:
    """Do something whenever one of the files was replaced."""
    watch = FileWatch(files)
    upkeep.keep(name, LOOK_AT_FILES, lambda: watch.changed() and act(), stack)


def _renew(door: Server, certificate: Certificate) -> None:
    try:
        door.renew(certificate)
    except Unavailable as error:
        log.error("the web door keeps its certificate: %s", error)  # noqa: TRY400 - the words say it
    else:
        log.info("the web door has read its certificate again")


def _until_signal() -> threading.Event:
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ending.set())
    return ending
