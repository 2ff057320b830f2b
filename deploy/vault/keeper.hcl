# Rotates the institutions' keys and rewraps the shelf; it never sees a key.
path "transit/rewrap/kek-*" {
  capabilities = ["update"]
}

# A glob ends a path and "+" is a whole segment, so that these cannot be narrowed to "kek-".
path "transit/keys/+/rotate" {
  capabilities = ["update"]
}

# Never "exportable", "allow_plaintext_backup" or "deletion_allowed": only the two minimums.
path "transit/keys/+/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

path "transit/keys/+/trim" {
  capabilities = ["update"]
}

path "transit/keys/+" {
  capabilities = ["read"]
}

path "shelf/*" {
  capabilities = ["read", "update", "list"]
}
