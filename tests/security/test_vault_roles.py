"""What each role may and, above all, may not do, tried on a real vault with the policies that ship."""

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from pacs_secure.adapters.vault_keyring import VaultUnwrapper, VaultWrapper, shelf_path
from pacs_secure.adapters.vault_provisioning import (
    CertificateRole,
    VaultRole,
    add_institution,
    credentials,
    issue_certificate,
    policy_directory,
    provision,
)
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.core.devices import device_uri
from pacs_secure.core.errors import Conflict, Unavailable
from pacs_secure.core.identifiers import institution
from pacs_secure.ports import ForgettableKey, Shelf
from tests.vault_fixture import CLINIC, RunningVault

PROBE = base64.b64encode(b"probe").decode()
Asking = Callable[[VaultRole], VaultSession]


@pytest.fixture(scope="module")
def role(openbao: RunningVault) -> Iterator[Asking]:
    sessions = {name: openbao.session(name) for name in VaultRole}
    yield sessions.__getitem__
    for session in sessions.values():
        session.close()


@pytest.fixture(scope="module")
def admin(openbao: RunningVault) -> Iterator[VaultSession]:
    with openbao.administering() as vault:
        yield vault


@pytest.fixture
def key(role: Asking) -> ForgettableKey:
    return VaultWrapper(role(VaultRole.STORE)).mint(CLINIC, Shelf.STUDY)


def refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except Unavailable as error:
        return "refuses this role" in str(error)
    return False


def encrypt(session: VaultSession, name: str) -> str:
    return session.post(f"transit/encrypt/{name}", {"plaintext": PROBE, "context": PROBE}).text("data", "ciphertext")


def test_policies_grant_no_export_no_backup_and_no_making_of_keys() -> None:
    text = "".join((policy_directory() / f"{role}.hcl").read_text() for role in VaultRole if role != "snapshot")
    rules = "\n".join(line for line in text.splitlines() if not line.startswith("#"))

    assert not [word for word in ("export", "backup", "restore", "soft-delete", "sudo", "sys/") if word in rules]
    for block in rules.split("path ")[1:]:
        assert '"create"' not in block or block.startswith('"shelf/'), block


def test_who_takes_snapshots_may_do_nothing_else() -> None:
    lines = (policy_directory() / "snapshot.hcl").read_text().splitlines()

    assert [line for line in lines if not line.startswith("#")] == [
        'path "sys/storage/raft/snapshot" {',
        '  capabilities = ["read"]',
        "}",
    ]


@pytest.mark.real
def test_a_role_has_its_own_policy_only_and_a_batch_token(openbao: RunningVault, admin: VaultSession) -> None:
    for name in VaultRole:
        settings = admin.get(f"auth/approle/role/{name}").mapping("data")
        assert settings["token_policies"] == [f"pacs-{name}"]
        assert settings["token_type"] == "batch"
        assert settings["token_no_default_policy"] is True
        assert settings["token_ttl"] == settings["token_max_ttl"] == 20 * 60


@pytest.mark.real
def test_a_store_can_neither_read_nor_list_nor_overwrite_nor_remove_nor_decrypt(
    role: Asking, key: ForgettableKey, admin: VaultSession
) -> None:
    store, path = role(VaultRole.STORE), shelf_path(CLINIC, Shelf.STUDY, key.key_id)
    before = admin.get(path).mapping("data")
    acts: list[Callable[[], object]] = [
        lambda: store.get(path),
        lambda: store.list(f"shelf/study/{CLINIC}"),
        lambda: store.post(path, {"wrapped": "vault:v1:other"}),
        lambda: store.delete(path),
        lambda: store.post(f"transit/decrypt/kek-{CLINIC}", {"ciphertext": before["wrapped"], "context": PROBE}),
        lambda: store.post(f"transit/rewrap/kek-{CLINIC}", {"ciphertext": before["wrapped"], "context": PROBE}),
        lambda: store.post(f"transit/datakey/plaintext/kek-{CLINIC}", {"context": PROBE}),
        lambda: store.post("shelf/elsewhere/x", {"wrapped": "w"}),
    ]

    assert [number for number, act in enumerate(acts) if not refused(act)] == []
    assert admin.get(path).mapping("data") == before


@pytest.mark.real
@pytest.mark.parametrize("name", [VaultRole.STORE, VaultRole.MINTER])
def test_encrypting_under_a_missing_key_is_refused_and_makes_none(
    role: Asking, admin: VaultSession, name: VaultRole
) -> None:
    missing = f"kek-missing-{uuid4().hex[:8]}"

    assert refused(lambda: encrypt(role(name), missing))
    assert admin.get(f"transit/keys/{missing}").absent


@pytest.mark.real
def test_a_reader_makes_and_changes_nothing(role: Asking, key: ForgettableKey) -> None:
    reader, path = role(VaultRole.READER), shelf_path(CLINIC, Shelf.STUDY, key.key_id)
    acts: list[Callable[[], object]] = [
        lambda: reader.post(path, {"wrapped": "w"}),
        lambda: reader.post(f"shelf/study/{CLINIC}/{uuid4()}", {"wrapped": "w"}),
        lambda: reader.delete(path),
        lambda: reader.list(f"shelf/study/{CLINIC}"),
        lambda: encrypt(reader, f"kek-{CLINIC}"),
    ]

    assert [number for number, act in enumerate(acts) if not refused(act)] == []
    assert VaultUnwrapper(reader).fetch(CLINIC, Shelf.STUDY, [key.key_id]) == {key.key_id: key}


@pytest.mark.real
def test_an_eraser_forgets_and_sees_that_it_is_gone_but_reads_nothing(role: Asking, key: ForgettableKey) -> None:
    eraser, path = role(VaultRole.ERASER), shelf_path(CLINIC, Shelf.STUDY, key.key_id)

    assert refused(lambda: eraser.get(path))
    assert refused(lambda: eraser.post(path, {"wrapped": "w"}))
    assert refused(lambda: encrypt(eraser, f"kek-{CLINIC}"))
    for shelf in (Shelf.INDEX, Shelf.INSTITUTION, Shelf.WRITER):
        kept = VaultWrapper(role(VaultRole.STORE)).mint(CLINIC, shelf)
        assert refused(partial(eraser.delete, shelf_path(CLINIC, shelf, kept.key_id)))
        assert refused(partial(eraser.list, f"shelf/{shelf}/{CLINIC}"))
        assert VaultUnwrapper(role(VaultRole.READER)).fetch(CLINIC, shelf, [kept.key_id]) == {kept.key_id: kept}
    assert eraser.delete(path).done
    listing = eraser.list(f"shelf/study/{CLINIC}")
    assert listing.absent or str(key.key_id) not in str(listing.find("data", "keys"))
    assert VaultUnwrapper(role(VaultRole.READER)).fetch(CLINIC, Shelf.STUDY, [key.key_id]) == {}


@pytest.mark.real
def test_a_keeper_rotates_and_rewraps_and_sees_no_key(role: Asking, openbao: RunningVault, admin: VaultSession) -> None:
    here = openbao.new_institution()
    key = VaultWrapper(role(VaultRole.STORE)).mint(here, Shelf.STUDY)
    keeper, path = role(VaultRole.KEEPER), shelf_path(here, Shelf.STUDY, key.key_id)
    wrapped = keeper.get(path).text("data", "wrapped")
    context = base64.b64encode(f"{here}\0study\0".encode() + key.key_id.bytes).decode()

    assert keeper.post(f"transit/keys/kek-{here}/rotate", {}).done
    rewrapped = keeper.post(f"transit/rewrap/kek-{here}", {"ciphertext": wrapped, "context": context})
    assert keeper.post(path, {"wrapped": rewrapped.text("data", "ciphertext")}).done
    assert keeper.post(f"transit/keys/kek-{here}/config", {"min_decryption_version": 2}).done

    assert rewrapped.text("data", "ciphertext").startswith("vault:v2:")
    assert VaultUnwrapper(role(VaultRole.READER)).fetch(here, Shelf.STUDY, [key.key_id]) == {key.key_id: key}
    acts: list[Callable[[], object]] = [
        lambda: keeper.post(f"transit/decrypt/kek-{here}", {"ciphertext": wrapped, "context": context}),
        lambda: encrypt(keeper, f"kek-{here}"),
        lambda: keeper.delete(path),
        lambda: keeper.post(f"shelf/study/{here}/{uuid4()}", {"wrapped": "w"}),
        lambda: keeper.post("transit/keys/kek-new", {"type": "aes256-gcm96"}),
        lambda: keeper.delete(f"transit/keys/kek-{here}"),
        *(
            lambda wish=wish: keeper.post(f"transit/keys/kek-{here}/config", {wish: True})
            for wish in ("exportable", "allow_plaintext_backup", "deletion_allowed")
        ),
        lambda: keeper.post(f"transit/sign/log-{here}", {"input": PROBE}),
        lambda: keeper.post(f"transit/keys/log-{here}/rotate", {}),
        lambda: keeper.post(f"transit/keys/log-{here}/config", {"min_decryption_version": 1}),
        lambda: keeper.get(f"transit/keys/log-{here}"),
        lambda: keeper.post(f"transit/keys/kek-{here}/trim", {"min_available_version": 2}),
    ]
    assert [number for number, act in enumerate(acts) if not refused(act)] == []


@pytest.mark.real
def test_a_signer_signs_and_does_nothing_else(role: Asking, key: ForgettableKey) -> None:
    signer = role(VaultRole.SIGNER)
    acts: list[Callable[[], object]] = [
        lambda: signer.get(shelf_path(CLINIC, Shelf.STUDY, key.key_id)),
        lambda: encrypt(signer, f"kek-{CLINIC}"),
        lambda: signer.post(f"transit/sign/kek-{CLINIC}", {"input": PROBE}),
        lambda: signer.post(f"transit/keys/log-{CLINIC}/rotate", {}),
        lambda: signer.get(f"transit/export/signing-key/log-{CLINIC}"),
    ]

    assert signer.post(f"transit/sign/log-{CLINIC}", {"input": PROBE}).done
    assert [number for number, act in enumerate(acts) if not refused(act)] == []


@pytest.mark.real
def test_an_enroller_issues_certificates_to_devices_and_never_to_the_archive(role: Asking) -> None:
    enroller = role(VaultRole.ENROLLER)

    assert issue_certificate(enroller, CertificateRole.DEVICE, "MODALITY1").cert_pem
    assert issue_certificate(enroller, CertificateRole.DESTINATION, "WORKSTATION1").cert_pem
    assert refused(lambda: issue_certificate(enroller, CertificateRole.SERVER, "archive"))
    assert refused(lambda: enroller.post("pki/roles/device", {"allow_any_name": True}))
    assert refused(lambda: enroller.post("pki/sign-verbatim", {"csr": "x"}))
    assert refused(lambda: enroller.post("pki/revoke", {"serial_number": "ab"}))


@pytest.mark.real
def test_a_revoker_takes_certificates_back_and_issues_none(role: Asking, admin: VaultSession) -> None:
    revoker = role(VaultRole.REVOKER)
    issued = issue_certificate(admin, CertificateRole.DEVICE, "MODALITY2")
    serial = x509.load_pem_x509_certificate(issued.cert_pem.encode()).serial_number.to_bytes(20, "big").hex(":")

    assert revoker.post("pki/revoke", {"serial_number": serial.removeprefix("00:")}).done
    assert revoker.get("pki/crl/rotate").done
    acts: list[Callable[[], object]] = [
        lambda: revoker.post("pki/revoke", {"certificate": issued.cert_pem}),
        lambda: revoker.post("pki/revoke-with-key", {"certificate": issued.cert_pem, "private_key": issued.key_pem}),
        lambda: issue_certificate(revoker, CertificateRole.DEVICE, "MODALITY2"),
        lambda: revoker.post("pki/config/crl", {"disable": True}),
        lambda: revoker.delete("pki/root"),
        lambda: revoker.get("pki/crl/rotate-delta"),
    ]
    assert [number for number, act in enumerate(acts) if not refused(act)] == []


@pytest.mark.real
def test_a_device_certificate_names_it_and_only_calls(admin: VaultSession) -> None:
    uri = device_uri(CLINIC, "MODALITY1")
    issued = issue_certificate(admin, CertificateRole.DEVICE, "MODALITY1", uri_sans=(uri,), ttl=timedelta(days=30))
    certificate, authority = (x509.load_pem_x509_certificate(pem.encode()) for pem in (issued.cert_pem, issued.ca_pem))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    key = load_pem_private_key(issued.key_pem.encode(), None)

    certificate.verify_directly_issued_by(authority)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
    assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == certificate.public_key()
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=31)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert issued.key_pem not in repr(issued)


@pytest.mark.real
@pytest.mark.parametrize("what", ["uri", "ttl"])
def test_a_certificate_beyond_its_role_is_not_issued(admin: VaultSession, what: str) -> None:
    uris, ttl = ((), timedelta(days=400)) if what == "ttl" else (("urn:other:device",), timedelta(days=1))

    if what == "ttl":
        issued = issue_certificate(admin, CertificateRole.DEVICE, "X", uri_sans=uris, ttl=ttl)
        certificate = x509.load_pem_x509_certificate(issued.cert_pem.encode())
        assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=397, minutes=1)
    else:
        with pytest.raises(Unavailable):
            issue_certificate(admin, CertificateRole.DEVICE, "X", uri_sans=uris, ttl=ttl)


@pytest.mark.real
def test_provisioning_again_changes_nothing_that_matters(
    openbao: RunningVault, admin: VaultSession, role: Asking, key: ForgettableKey
) -> None:
    authority = admin.get("pki/cert/ca").text("data", "certificate")
    keys = admin.get(f"transit/keys/kek-{CLINIC}").mapping("data")["keys"]
    provision(admin, CLINIC)

    assert admin.get("pki/cert/ca").text("data", "certificate") == authority
    assert admin.get(f"transit/keys/kek-{CLINIC}").mapping("data")["keys"] == keys
    assert VaultUnwrapper(role(VaultRole.READER)).fetch(CLINIC, Shelf.STUDY, [key.key_id]) == {key.key_id: key}


@pytest.mark.real
def test_a_secret_id_is_another_each_time_and_shows_nowhere(admin: VaultSession) -> None:
    first, second = (credentials(admin, VaultRole.STORE) for _ in range(2))

    assert first.role_id == second.role_id
    assert first.secret_id != second.secret_id
    assert first.secret_id not in repr(first)


@pytest.mark.real
def test_a_kek_that_could_be_exported_or_is_not_derived_is_not_accepted(admin: VaultSession) -> None:
    for number, flaw in enumerate(({"exportable": True, "derived": True}, {"derived": False})):
        weak = institution(f"weak-{number}-{uuid4().hex[:8]}")
        admin.post(f"transit/keys/kek-{weak}", {"type": "aes256-gcm96", **flaw}).demand_done()

        with pytest.raises(Conflict):
            add_institution(admin, weak)


@pytest.mark.real
def test_institutions_cannot_open_each_others_keys(role: Asking, openbao: RunningVault, key: ForgettableKey) -> None:
    other = openbao.new_institution()
    wrapped = role(VaultRole.READER).get(shelf_path(CLINIC, Shelf.STUDY, key.key_id)).text("data", "wrapped")
    context = base64.b64encode(f"{CLINIC}\0study\0".encode() + key.key_id.bytes).decode()

    reply = role(VaultRole.READER).post(f"transit/decrypt/kek-{other}", {"ciphertext": wrapped, "context": context})
    assert not reply.done


def test_policies_ship_with_the_source_tree() -> None:
    assert policy_directory() == Path(__file__).parents[2] / "deploy" / "vault"
