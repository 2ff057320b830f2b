# Signs the ledger's checkpoints.
path "transit/sign/log-*" {
  capabilities = ["update"]
}

path "transit/keys/log-*" {
  capabilities = ["read"]
}
