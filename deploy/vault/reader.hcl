# A process that serves: brings keys back, makes none and changes none.
path "transit/decrypt/kek-*" {
  capabilities = ["update"]
}

path "shelf/study/*" {
  capabilities = ["read"]
}

path "shelf/index/*" {
  capabilities = ["read"]
}

path "shelf/ledger/*" {
  capabilities = ["read"]
}

path "shelf/institution/*" {
  capabilities = ["read"]
}

path "shelf/writer/*" {
  capabilities = ["read"]
}
