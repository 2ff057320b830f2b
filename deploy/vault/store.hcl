# A process that takes instances in: makes study keys and cannot bring one back.
# "update" only: with "create", encrypting under a missing transit key would silently make it.
path "transit/encrypt/kek-*" {
  capabilities = ["update"]
}

# In KV v1 writing over an entry is an update, so that "create" alone never overwrites.
path "shelf/study/*" {
  capabilities = ["create"]
}

path "shelf/index/*" {
  capabilities = ["create"]
}

path "shelf/ledger/*" {
  capabilities = ["create"]
}

path "shelf/institution/*" {
  capabilities = ["create"]
}

path "shelf/writer/*" {
  capabilities = ["create"]
}
