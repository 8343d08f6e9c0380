"""What `make bench` measures, and with what."""
