"""A whole configuration file, for tests that change a part of it."""

from pathlib import Path

WHOLE = """
institution = "north"
[vault]
address = "https://127.0.0.1:8200"
ca_file = "ca.pem"
credentials_file = "credentials.json"
[dicom]
certificate_file = "server.pem"
key_file = "server.key"
ca_file = "ca.pem"
[web]
certificate_file = "server.pem"
key_file = "server.key"
[index]
file = "index.db"
[objects]
directory = "objects"
[ledger]
checkpoint_directory = "ledger"
origin = "north.example/ledger"
public_key_file = "public.pem"
[identity]
development_key_file = "issuer.pem"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "pacs_secure.toml"
    file.write_text(text)
    return file
