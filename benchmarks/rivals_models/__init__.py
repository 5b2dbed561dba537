"""The networks and features of the rivals in the benchmarks."""
