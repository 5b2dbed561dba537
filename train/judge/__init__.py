"""Scores, evaluation, calibration and the model card."""
