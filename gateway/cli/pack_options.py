"""The option `--packs` (a folder of further packs), shared by several commands."""

from argparse import ArgumentParser


def add_packs_option(parser: ArgumentParser) -> None:
    """Add `--packs`, a folder of packs beside the shipped ones; parsed into `beside`."""
    parser.add_argument(
        "--packs", dest="beside", metavar="FOLDER", help="a folder of packs beside the ones we ship"
    )
