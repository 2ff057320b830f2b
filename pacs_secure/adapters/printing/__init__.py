"""Prints reports: one page of words and figures, as HTML, as PDF/A, or the model itself as JSON."""
