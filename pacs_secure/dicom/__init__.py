"""The grammar of the DICOM standard, as far as an archive needs it."""
