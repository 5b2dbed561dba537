"""Checks a new sensor step by step: units, axes, rate, gaps, clock (``kinestream wear``)."""
