"""The report: measured figures beside the published ones, as one HTML page."""
