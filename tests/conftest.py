"""What every test has around it: controls as markers, loopback only, and a real vault for those who ask."""

from importlib.util import find_spec

pytest_plugins = [
    "tests.scratch",
    "tests.clock",
    "tests.loopback",
    "tests.postgres_fixture",
    "tests.evidence",
    "tests.world",
    "tests.dicom_door",
    "tests.quickstart_fixture",
]

if find_spec("tests.vault_fixture"):
    pytest_plugins.append("tests.vault_fixture")
pytest_plugins.append("tests.object_store_fixture")  # which ends with the vault's own watch
