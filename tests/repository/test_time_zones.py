"""Time zones: every operator's is known on a machine that has no zone files of its own."""

import os
import subprocess
import sys

import yaml

from gateway.publishing.pack_compiler import pack_folder

OPERATORS = ("bouygues", "maroc-telecom", "orange-fr", "orange-ro", "tunisie-telecom")
LOOK_UP = "import sys, zoneinfo; [zoneinfo.ZoneInfo(name) for name in sys.argv[1:]]"


def test_every_time_zone_is_known_without_the_systems_files() -> None:
    packs = [yaml.safe_load((pack_folder(name) / "pack.yaml").read_text("utf-8")) for name in OPERATORS]
    zones = [pack["time_zone"] for pack in packs]
    bare = {**os.environ, "PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", LOOK_UP, *zones], env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
