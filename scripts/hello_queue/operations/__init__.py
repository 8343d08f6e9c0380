"""What whoever operates the queue needs: metrics, and the messages in the dead-letter queue."""
