"""The guided check of a new sensor: units, axes, rate, gaps, clock (`kinestream wear`)."""
