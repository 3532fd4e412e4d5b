"""Package index settings: pass on to uv what pip is configured to use.

uv does not read pip's configuration, and no index is written into the project.
"""

import ast
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Variable(NamedTuple):
    """The environment variable by which uv takes a setting of pip."""

    name: str
    separator: str = " "


MAIN_INDEX = {"index-url": Variable("UV_DEFAULT_INDEX"), "no-index": Variable("UV_NO_INDEX")}
FURTHER_INDEXES = {"extra-index-url": Variable("UV_INDEX"), "find-links": Variable("UV_FIND_LINKS", ",")}
CONNECTION = {
    "cert": Variable("SSL_CERT_FILE"),
    "client-cert": Variable("SSL_CLIENT_CERT"),
    "proxy": Variable("ALL_PROXY"),
    "trusted-host": Variable("UV_INSECURE_HOST"),
    "timeout": Variable("UV_HTTP_TIMEOUT"),
}
UV_INDEXES = frozenset(
    ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
)
"""When one of these is set, uv is configured itself, and pip's indexes are not passed on."""
PRECEDENCE = ("global", "install", ":env:")
LINE = re.compile(r"^(global|install|:env:)\.([\w-]+)=(.*)$", re.MULTILINE)


def read_pip_settings(pip: Sequence[str]) -> dict[str, str]:
    """Return the settings of pip by name, as its files and PIP_* variables give them together."""
    printed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    return parse_pip_settings(printed)


def parse_pip_settings(printed: str) -> dict[str, str]:
    """Return what `pip config list` printed, by name; a variable goes before a file."""
    found = sorted(LINE.findall(printed), key=lambda line: PRECEDENCE.index(line[0]))
    return {name.removeprefix("default-"): str(ast.literal_eval(value)) for _, name, value in found}


def make_uv_environment(
    settings: Mapping[str, str], environment: Mapping[str, str], *, main_index_only: bool = False
) -> dict[str, str]:
    """Return the environment of uv: the present one, and pip's settings where uv has none of its own.

    `main_index_only` leaves out further indexes and folders: they may hold some files of a release only,
    and a lock needs the hashes of all.
    """
    passed = dict(CONNECTION)
    if not UV_INDEXES & environment.keys():
        passed |= MAIN_INDEX if main_index_only else MAIN_INDEX | FURTHER_INDEXES
    carried = {
        variable.name: variable.separator.join(settings[name].split())
        for name, variable in passed.items()
        if settings.get(name)
    }
    # As pip: the best version of all indexes. Hashes decide what is installed.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **carried, **environment}
