# Rotates the institutions' keys and rewraps the shelf; it never sees a key.
path "transit/rewrap/kek-*" {
  capabilities = ["update"]
}

# A glob ends a path and "+" is a whole segment, so that these cannot be narrowed to "kek-" …
path "transit/keys/+/rotate" {
  capabilities = ["update"]
}

# Never "exportable", "allow_plaintext_backup" or "deletion_allowed": only the minimum. Nothing is trimmed, so that
# an administrator can always go back.
path "transit/keys/+/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
  }
}

path "transit/keys/+" {
  capabilities = ["read"]
}

# … but what begins more narrowly wins: the keys that checkpoints are signed with are none of its business.
path "transit/keys/log-*" {
  capabilities = ["deny"]
}

# "update" without "create": an entry that was forgotten since it was read is never written again.
path "shelf/*" {
  capabilities = ["read", "update", "list"]
}
