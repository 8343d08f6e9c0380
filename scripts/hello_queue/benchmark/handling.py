"""The handler that the benchmark has: none."""


def nothing(message: object) -> None:
    pass
