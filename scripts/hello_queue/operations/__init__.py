"""Tools for operators of the queue: metrics, and redrive from the dead-letter queue."""
