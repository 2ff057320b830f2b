"""The ledger's proof: entries that name their predecessor, one tree over all, signed tree heads, public tiles."""

from pacs_secure.crypto.tlog.author import Author, AuthorCheck
from pacs_secure.crypto.tlog.cosignature import WitnessKey, log_verifier_key, verify_cosignature, witness_key
from pacs_secure.crypto.tlog.entry import (
    LONGEST_ENTRY,
    NO_ENTRY,
    ParsedEntry,
    compose_entry,
    draft_of,
    parse_entry,
    read_draft,
    state,
)
from pacs_secure.crypto.tlog.note import Checkpoint, checkpoint_text, key_id, parse_checkpoint, sign_note, verify_note
from pacs_secure.crypto.tlog.proofs import Tiles, consistency_from_tiles, frontier_from_tiles, inclusion_from_tiles
from pacs_secure.crypto.tlog.retention import certificate_text, certifier, read_certificate
from pacs_secure.crypto.tlog.tiles import WIDTH, decode_bundle, encode_bundle, entries_path, tile_path
from pacs_secure.crypto.tlog.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "EMPTY_ROOT",
    "LONGEST_ENTRY",
    "NO_ENTRY",
    "WIDTH",
    "Author",
    "AuthorCheck",
    "Checkpoint",
    "Frontier",
    "ParsedEntry",
    "Tiles",
    "WitnessKey",
    "certificate_text",
    "certifier",
    "checkpoint_text",
    "compose_entry",
    "consistency_from_tiles",
    "consistency_proof",
    "decode_bundle",
    "draft_of",
    "encode_bundle",
    "entries_path",
    "frontier_from_tiles",
    "inclusion_from_tiles",
    "inclusion_proof",
    "key_id",
    "leaf_hash",
    "log_verifier_key",
    "node_hash",
    "parse_checkpoint",
    "parse_entry",
    "read_certificate",
    "read_draft",
    "root",
    "sign_note",
    "state",
    "tile_path",
    "verify_consistency",
    "verify_cosignature",
    "verify_inclusion",
    "verify_note",
    "witness_key",
]
