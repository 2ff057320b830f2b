# A sample for one node of a cluster of three or five. Give every node its own addresses and node_id.
ui           = false
cluster_name = "pacs"
api_addr     = "https://vault-1.example.org:8200"
cluster_addr = "https://vault-1.example.org:8201"

# Keys younger than the last snapshot are lost with the cluster: run three nodes or more.
storage "raft" {
  path                   = "/var/lib/openbao"
  node_id                = "vault-1"
  performance_multiplier = 1

  retry_join {
    leader_api_addr = "https://vault-2.example.org:8200"
  }

  retry_join {
    leader_api_addr = "https://vault-3.example.org:8200"
  }
}

listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/etc/openbao/tls/server.pem"
  tls_key_file    = "/etc/openbao/tls/server.key"
  tls_min_version = "tls13"
}

# Two devices on two volumes: when every one is full, every operation fails while /sys/health still says 200.
# They can only be declared here; the API does not take them.
audit "file" "first" {
  options {
    file_path = "/var/log/openbao/audit.log"
    mode      = "0600"
  }
}

audit "file" "second" {
  options {
    file_path = "/var/log/openbao-second/audit.log"
    mode      = "0600"
  }
}

# Seal with an HSM or KMS of your own here. Without a stanza the seal is Shamir: initialise with five shares,
# three needed, each with another person. File storage and mlock are gone from OpenBao: forbid swap on the host.
