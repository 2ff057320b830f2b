"""The HTTP door: DICOMweb and health, over one Archive."""
