"""After a patient was forgotten the ledger proves all that it proved, and tells nobody anything of them.

The attacker has every disk of the archive, copies of them from before, and the credentials of every role
of the vault. What they lack is the vault's own storage, whose snapshots are the horizon of every erasure.
"""

import base64
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pacs_secure import audit_verify
from pacs_secure.adapters.vault_keyring import VaultEraser, VaultSigner, VaultUnwrapper, VaultWrapper, shelf_path
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_session import Reply
from pacs_secure.archive.declarations import Whom
from pacs_secure.archive.details import Details
from pacs_secure.archive.ledger_reading import Wanted
from pacs_secure.core.access import AccessRequest, Action, Role, Subject
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import ArchiveError, Tampered
from pacs_secure.core.identifiers import Institution, KeyId, uid
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.crypto.tlog import leaf_hash, read_draft, verify_inclusion
from pacs_secure.ports import Shelf
from tests.builders import subject
from tests.unit.archive.instances import data_set, received, study_uid
from tests.vault_fixture import RunningVault
from tests.world import DiskWorld, disk_world

pytestmark = pytest.mark.real


@dataclass
class Clinic:
    world: DiskWorld
    of: Institution
    vault: RunningVault
    reader: VaultUnwrapper
    public_key: bytes

    def person(self, role: Role, name: str = "someone", department: str = "radiology") -> Subject:
        return subject(role, identifier=name, of=self.of, department=department)

    def drafts(self) -> list[Draft]:
        ledger = self.world.house.engines.ledger
        return [read_draft(entry.content) for entry in ledger.entries(0, ledger.size())]

    def about(self, study: int) -> list[Draft]:
        facts = self.world.archive.facts.of(self.person(Role.RADIOLOGIST), None, uid(study_uid(study)))
        assert facts is not None
        return [one for one in self.drafts() if one.patient_alias == facts.patient_alias]

    def forget(self, study: int) -> int:
        alias = self.about(study)[0].patient_alias
        assert alias is not None
        asked = AccessRequest(self.person(Role.OPERATOR, department=""), Action.LEDGER_EXPIRE, None)
        return self.world.archive.ledger_keys.forget(self.world.archive.guard.decide(asked), self.of, alias)


@contextmanager
def clinic_below(directory: Path, openbao: RunningVault, of: Institution) -> Iterator[Clinic]:
    sessions = {role: openbao.session(role) for role in VaultRole}
    reader = VaultUnwrapper(sessions[VaultRole.READER])
    signer = VaultSigner(sessions[VaultRole.SIGNER], of)
    eraser = VaultEraser(sessions[VaultRole.ERASER], sessions[VaultRole.READER])
    wrapper = VaultWrapper(sessions[VaultRole.STORE])
    try:
        with disk_world(directory, wrapper, reader, signer, eraser=eraser, home=of) as world:
            yield Clinic(world, of, openbao, reader, signer.public_key())
    finally:
        for session in sessions.values():
            session.close()


@pytest.fixture
def clinic(tmp_path: Path, openbao: RunningVault) -> Iterator[Clinic]:
    """Two patients, each with a study that somebody has read; the ledger is published."""
    with clinic_below(tmp_path / "archive", openbao, openbao.new_institution()) as clinic:
        archive = clinic.world.archive
        with archive.ingest.begin(clinic.person(Role.TECHNOLOGIST, "t.ech"), None, {}) as reception:
            for study in (1, 2):
                reception.store(received(data_set(study, PatientID=f"patient {study}")))
        for study in (1, 2):
            archive.retrieve.begin(
                clinic.person(Role.RADIOLOGIST, "r.weber"), None, study_uid(study), details={}
            ).close()
        clinic.world.database.write(lambda _: None)
        clinic.world.notary.attest()
        yield clinic


def test_every_old_proof_still_verifies(clinic: Clinic) -> None:
    dpo = clinic.person(Role.DPO, department="")
    size = clinic.world.house.engines.publisher.published()
    proofs = [clinic.world.archive.ledger_proofs.of(dpo, None, index, details={}) for index in range(size)]

    assert clinic.forget(1) > 0
    clinic.world.notary.attest()

    assert all(verify_inclusion(leaf_hash(one.content), one.index, one.size, one.path, one.root) for one in proofs)
    assert clinic.world.archive.verify.check_ledger(dpo).findings == ()
    key = Ed25519PublicKey.from_public_bytes(clinic.public_key)
    verification = audit_verify.Verification(audit_verify.Directory(clinic.world.checkpoints), key)
    verification.run()
    assert verification.findings == []


def test_what_the_ledger_says_of_them_opens_to_nobody_and_of_others_as_before(clinic: Clinic) -> None:
    theirs, others = clinic.about(1), clinic.about(2)
    details = Details(clinic.reader)
    before = details.open(others)
    assert None not in details.open(theirs)

    clinic.forget(1)

    assert set(map(str, details.open(theirs))) == {"None"}
    assert details.open(others) == before
    dpo = clinic.person(Role.DPO, department="")
    wanted = Wanted(whom=Whom("patient 1", None), opened=True)
    page = clinic.world.archive.ledger_reading.search(dpo, None, wanted, details={})
    assert page.entries
    assert all(read.told is None for read in page.entries if read.draft in theirs)


def test_what_is_said_of_them_later_has_a_key_of_its_own(clinic: Clinic) -> None:
    before = {draft.details.key_id for draft in clinic.about(1) if draft.details}
    clinic.forget(1)

    clinic.world.archive.retrieve.begin(clinic.person(Role.RADIOLOGIST), None, study_uid(1), details={}).close()

    clinic.world.database.write(lambda _: None)
    later = [draft for draft in clinic.about(1) if draft.details and draft.details.key_id not in before]
    assert later
    assert None not in Details(clinic.reader).open(later)


def test_neither_every_disk_nor_every_role_brings_a_key_back(clinic: Clinic, tmp_path: Path) -> None:
    theirs = clinic.about(1)
    shutil.copytree(clinic.world.directory, tmp_path / "copies from before")
    named = {draft.details.key_id for draft in theirs if draft.details}
    keys = clinic.reader.fetch(clinic.of, Shelf.LEDGER, named)
    assert keys.keys() == named
    with clinic.vault.administering() as vault:
        wrapped = [vault.get(shelf_path(clinic.of, Shelf.LEDGER, key_id)).text("data", "wrapped") for key_id in named]

    clinic.forget(1)

    # On no disk of the archive, then or now, in no form.
    needles = [form for key in keys.values() for form in (key.key, key.key.hex().encode(), base64.b64encode(key.key))]
    needles += [text.encode() for text in wrapped]
    disks = (clinic.world.directory, tmp_path / "copies from before")
    written = [path.read_bytes() for disk in disks for path in disk.rglob("*") if path.is_file()]
    assert sum(map(len, written)) > 100_000
    assert not [needle for needle in needles for content in written if needle in content]
    # By no role of the vault, by any name under which a key could still lie.
    for role in VaultRole:
        with closing(clinic.vault.session(role)) as session:
            for key_id in named:
                assert _given(session.get, shelf_path(clinic.of, Shelf.LEDGER, key_id)) is None
            listed = _names(_given(session.list, f"shelf/ledger/{clinic.of}"))
            assert not {str(key_id) for key_id in named}.intersection(listed)
    # By no other key that is still there.
    with clinic.vault.administering() as vault:
        left = [KeyId(UUID(name)) for name in _names(_given(vault.list, f"shelf/ledger/{clinic.of}"))]
    assert left
    for key in clinic.reader.fetch(clinic.of, Shelf.LEDGER, left).values():
        for draft in theirs:
            assert draft.details is not None
            with pytest.raises(Tampered):
                DetailsSeal(key.key).open(draft.act, draft.details.box)


def _given(ask: Callable[[str], Reply], path: str) -> object:
    """Return what a role is given, None when it is refused or nothing is there."""
    try:
        reply = ask(path)
    except ArchiveError:
        return None
    return reply.find("data") if reply.done else None


def _names(given: object) -> list[str]:
    return list(map(str, given["keys"])) if isinstance(given, Mapping) and "keys" in given else []
