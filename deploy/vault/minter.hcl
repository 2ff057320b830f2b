# Fills the pool of study keys made beforehand.
path "transit/encrypt/kek-*" {
  capabilities = ["update"]
}

path "shelf/study/*" {
  capabilities = ["create"]
}
