"""Proofs that the archive itself wrote what a decision rests on.

The index is plain SQL: its owner can give a colleague a department's studies with one UPDATE, or tie
them to a patient with one INSERT. What they cannot make is a proof, for that takes the institution's
index key. A row without one is `Tampered`, and nothing is decided by it. What a proof cannot show is
that a row is the newest: an old row put back with its old proof holds until its own end.
"""

from dataclasses import replace
from datetime import datetime
from hmac import compare_digest

from pacs_secure.core.access import Safeguard, StoredFacts, StudyFacts, Tie
from pacs_secure.core.boards import Board, Case, Seat
from pacs_secure.core.errors import Tampered
from pacs_secure.core.forgetting import Forgetting
from pacs_secure.core.sharing import Share
from pacs_secure.crypto.box import fields
from pacs_secure.crypto.index_seal import DetailsSeal, IndexSeal
from pacs_secure.ports import LedgerKey

LEDGER_KEY_PROOF = 16
"""Bytes: it stands in every entry."""


def of_study(seal: IndexSeal, facts: StudyFacts) -> bytes:
    """Return the proof of a study's facts."""
    return seal.prove(
        "study",
        facts.institution.encode(),
        facts.study_instance_uid.encode(),
        facts.alias.bytes,
        facts.patient_alias.bytes,
        facts.department.encode(),
        " ".join(sorted(facts.safeguards - {Safeguard.ENDED})).encode(),
        b"held" if facts.held else b"",
        facts.treatment_ended_on.encode(),
        *((str(facts.epoch).encode(),) if facts.epoch else ()),
    )


def of_tie(seal: IndexSeal, tie: Tie) -> bytes:
    """Return the proof of a tie; its end may be brought forward without a new one, never put off."""
    return seal.prove(
        "tie",
        tie.tie_id.bytes,
        tie.relation.encode(),
        tie.institution.encode(),
        tie.actor.encode(),
        tie.alias.bytes,
        (tie.purpose or "").encode(),
        tie.begins_at.isoformat().encode(),
        tie.ends_at.isoformat().encode(),
        tie.origin.bytes,
    )


def of_share(seal: IndexSeal, share: Share) -> bytes:
    """Return the proof of what a share says once and for all; attempts, redemption and revocation come later."""
    return seal.prove(
        "share",
        share.share_id.bytes,
        share.institution.encode(),
        share.study_alias.bytes,
        share.patient_alias.bytes,
        share.inviter.encode(),
        share.invitee.encode(),
        share.purpose.encode(),
        share.begins_at.isoformat().encode(),
        share.ends_at.isoformat().encode(),
        share.code,
        share.box,
    )


def of_board(seal: IndexSeal, board: Board) -> bytes:
    """Return the proof of a board in one version: whoever could add a member would be tied to every study on it."""
    return seal.prove(
        "board",
        board.board_id.bytes,
        board.institution.encode(),
        board.convener.encode(),
        board.meets_on.isoformat().encode(),
        board.begins_at.isoformat().encode(),
        board.ends_at.isoformat().encode(),
        board.box,
        str(board.version).encode(),
        _moment(board.closed_at),
        fields(*(_seat(seat) for seat in board.seats)),
        fields(*(_case(case) for case in board.cases)),
    )


def of_ledger_key(seal: DetailsSeal, key: LedgerKey) -> bytes:
    """Return the proof, 16 bytes, of whose details and of which year a key seals."""
    patient = key.patient_alias.bytes if key.patient_alias else b""
    return seal.prove("ledger key", key.key_id.bytes, key.institution.encode(), patient, str(key.year).encode())[
        :LEDGER_KEY_PROOF
    ]


def of_forgetting(seal: IndexSeal, forgetting: Forgetting) -> bytes:
    """Return the proof of how far a forgetting has come: whoever could write one could have any key deleted."""
    return seal.prove(
        "forgetting",
        forgetting.forgetting_id.bytes,
        forgetting.institution.encode(),
        forgetting.study_instance_uid.encode(),
        forgetting.study_alias.bytes,
        forgetting.patient_alias.bytes,
        forgetting.department.encode(),
        forgetting.requested_at.isoformat().encode(),
        forgetting.stage.encode(),
        str(forgetting.epoch).encode(),
        _moment(forgetting.fenced_at),
        fields(*(key_id.bytes for key_id in forgetting.key_ids)),
        fields(*(object_id.bytes for object_id in forgetting.object_ids)),
    )


def proven(seal: IndexSeal, tie: Tie) -> Tie:
    """Return a tie with its proof, ready to be kept."""
    return replace(tie, proof=of_tie(seal, tie))


def demand_study(seal: IndexSeal, stored: StoredFacts) -> StudyFacts:
    """Return the facts that an index keeps of a study; raise `Tampered` when the archive did not write them so."""
    if not compare_digest(of_study(seal, stored.facts), stored.proof):
        raise Tampered("what the index says of a study is not what was written")
    return stored.facts


def demand_forgetting(seal: IndexSeal, forgetting: Forgetting) -> Forgetting:
    """Return a forgetting that an index keeps; raise `Tampered` when the archive did not write it so."""
    if not compare_digest(of_forgetting(seal, forgetting), forgetting.proof):
        raise Tampered("what the index says of a forgetting is not what was written")
    return forgetting


def demand_tie(seal: IndexSeal, tie: Tie) -> Tie:
    """Return a tie that an index keeps; raise `Tampered` when the archive did not write it so."""
    if not compare_digest(of_tie(seal, tie), tie.proof):
        raise Tampered("a tie of the index is not what was written")
    return tie


def demand_share(seal: IndexSeal, share: Share) -> Share:
    """Return a share that an index keeps; raise `Tampered` when the archive did not write it so."""
    if not compare_digest(of_share(seal, share), share.proof):
        raise Tampered("a share of the index is not what was written")
    return share


def demand_board(seal: IndexSeal, board: Board) -> Board:
    """Return a board that an index keeps; raise `Tampered` when the archive did not write it so."""
    if not compare_digest(of_board(seal, board), board.proof):
        raise Tampered("a board of the index is not what was written")
    return board


def is_ledger_key(seal: DetailsSeal, key: LedgerKey) -> bool:
    """Say whether the archive itself listed a key so."""
    return compare_digest(of_ledger_key(seal, key), key.proof)


def _seat(seat: Seat) -> bytes:
    return fields(seat.actor.encode(), _moment(seat.since), _moment(seat.until), seat.box)


def _case(case: Case) -> bytes:
    aliases = (case.study_alias.bytes, case.patient_alias.bytes)
    return fields(*aliases, case.brought_by.encode(), _moment(case.since), _moment(case.until), case.box)


def _moment(at: datetime | None) -> bytes:
    return at.isoformat().encode() if at is not None else b""
