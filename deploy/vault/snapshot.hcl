# Takes snapshots of the vault for backups. What it gets is sealed as the vault stores it: without the unseal
# shares, or the HSM, it opens nothing. It restores none.
path "sys/storage/raft/snapshot" {
  capabilities = ["read"]
}
