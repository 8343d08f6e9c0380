"""The benchmark: its contenders, its measurements, and an endpoint to measure against."""
