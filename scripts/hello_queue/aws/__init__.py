"""Clients of AWS, and what AWS's errors mean."""
