"""Entry point of `python -m gateway`: the command `dialtree`."""

from gateway.cli.main import main

if __name__ == "__main__":
    main()
