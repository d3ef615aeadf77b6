"""The one exception for everything that a caller can fix."""


class InputError(ValueError):
    """An input that cannot be used.

    The message says what was expected, what came, and what to do. The command prints it as it is; every
    other exception is a bug of heatproof (or of a library) and keeps its traceback.
    """
