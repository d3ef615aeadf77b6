"""``python -m heatproof`` is the command."""

from heatproof.cli import main

if __name__ == "__main__":
    main()
