"""The DICOM door: associations over TLS."""
