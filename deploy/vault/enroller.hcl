# Issues certificates to DICOM nodes, never to the archive itself.
path "pki/issue/device" {
  capabilities = ["update"]
}

path "pki/issue/destination" {
  capabilities = ["update"]
}
