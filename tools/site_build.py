"""Documentation site: build it with MkDocs and check its links.

    python -m tools.site_build                  into site/ (`make site`)
    python -m tools.site_build --folder FOLDER  elsewhere

Status 1 when MkDocs warns of anything, a link or anchor of a built page leads nowhere, or a page would request
something from another host.
"""

import argparse
import logging
import sys
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tools.site_links import find_problems

ROOT = Path(__file__).parent.parent


def build_site(folder: Path, settings: Path = ROOT / "mkdocs.yml") -> None:
    """Build the site into a folder; what was in it is deleted. Raises Abort when MkDocs warns of anything."""
    config = load_config(str(settings), site_dir=str(folder))
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    config.plugins.on_shutdown()


def main() -> None:
    """Build and check the site, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.site_build", description="Build the documentation.")
    parser.add_argument("--folder", type=Path, default=ROOT / "site", help="default: site")
    folder = parser.parse_args().folder
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        build_site(folder)
    except Abort as error:
        sys.exit(f"The site was not built: {error}")
    problems = find_problems(folder)
    if problems:
        sys.exit("\n".join(problems))
    print(
        f"The documentation is in {folder}; to search it, serve it: python -m http.server --directory {folder}"
    )


if __name__ == "__main__":
    main()
