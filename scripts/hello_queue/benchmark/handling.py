"""The benchmark's handler, which does nothing."""


def nothing(message: object) -> None:
    pass
