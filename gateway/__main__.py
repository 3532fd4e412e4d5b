"""`python -m gateway` is the command `dialtree`."""

from gateway.cli.main import main

if __name__ == "__main__":
    main()
