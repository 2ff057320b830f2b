# Forgets keys, after two persons agreed; the listing is its proof that they are gone.
path "shelf/study/*" {
  capabilities = ["delete", "list"]
}

path "shelf/ledger/*" {
  capabilities = ["delete", "list"]
}
