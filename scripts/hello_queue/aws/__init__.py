"""AWS clients, and explanations of AWS's errors."""
