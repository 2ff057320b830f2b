"""Keeping the library silent: its debug output prints names, passcodes and whole identifiers."""

import logging

from pynetdicom import _config


def hush() -> None:
    """Turn off everything in pynetdicom that prints, logs or writes what is received, for this process."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    # True would write every plaintext Data Set to a temporary file that stays.
    _config.STORE_RECV_CHUNKED_DATASET = False
    logger = logging.getLogger("pynetdicom")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
