"""Predictions for other programs: JSON over ZeroMQ, metrics for Prometheus."""
