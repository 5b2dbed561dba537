"""Outputs for other programs: predictions as JSON over ZeroMQ, metrics for Prometheus."""
