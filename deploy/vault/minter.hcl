# Fills the pool of keys made beforehand: it makes them, and brings none back.
path "transit/encrypt/kek-*" {
  capabilities = ["update"]
}

path "shelf/study/*" {
  capabilities = ["create"]
}

path "shelf/ledger/*" {
  capabilities = ["create"]
}
