"""Turns the probabilities of single windows into conclusions: calibration, smoothing, ``unknown``, episodes."""
