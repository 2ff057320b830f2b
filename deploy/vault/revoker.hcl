# Takes certificates back. The engine knows no rule for whose: keep this role's secret id where devices are
# administered, for whoever holds it can shut every device, and the archive itself, out. It issues nothing.
path "pki/revoke" {
  capabilities = ["update"]
  allowed_parameters = {
    "serial_number" = []
  }
}

# Has the list of revoked certificates signed anew; reading it needs no login.
path "pki/crl/rotate" {
  capabilities = ["read"]
}
