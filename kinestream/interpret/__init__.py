"""From window-by-window probabilities to conclusions: calibration, smoothing, `unknown`, episodes."""
