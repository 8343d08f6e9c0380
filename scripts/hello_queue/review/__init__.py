"""What a change does in AWS: the templates before and after it, and what a reviewer must know about the difference."""
