"""The local AWS: ministack, served as AWS is (TLS, signatures, IAM), with what it lacks for these stacks."""
