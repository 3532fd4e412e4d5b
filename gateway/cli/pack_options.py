"""The argument `--packs`, which several commands take."""

from argparse import ArgumentParser


def add_packs(parser: ArgumentParser) -> None:
    """A folder of packs beside ours; `beside` in what is parsed."""
    parser.add_argument(
        "--packs", dest="beside", metavar="FOLDER", help="a folder of packs beside the ones we ship"
    )
