"""Scores, evaluation, calibration, plots and the model card."""
