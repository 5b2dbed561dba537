"""The report: the measured and the published figures on one HTML page."""
