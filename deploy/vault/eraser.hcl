# Forgets keys, after two persons agreed; the listing is its proof that they are gone. Never those of indexes,
# institutions and writers: without them nothing could be found, proven or verified any more.
path "shelf/study/*" {
  capabilities = ["delete", "list"]
}

path "shelf/ledger/*" {
  capabilities = ["delete", "list"]
}
