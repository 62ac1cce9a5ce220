"""A headless Chromium with its driver, for the stories that need a browser.

The machine's own is taken where there is one. Otherwise Debian's packages are
fetched with apt-get, whose keys vouch for them, and unpacked into `.tools`, with
those of their libraries that the machine lacks; nothing is installed. Where
neither goes, they say what to do.
"""

from __future__ import annotations

import platform
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from paths import LOGS, TOOLS
from processes import run
from progress import say, step

FOLDER = TOOLS / "chromium"
STAMP = TOOLS / "chromium.stamp"
WANTED = "chromium-headless-shell and chromium-driver of Debian, unpacked\n"
NAMES = ("chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome")
HELP = "the stories with a browser will fail: install Chromium and chromedriver, both on PATH, and run again"


@dataclass(frozen=True)
class Browser:
    """A browser and what drives it."""

    program: str
    driver: str
    libraries: str
    """Folders of libraries that the machine lacks, as the loader wants them; often none."""

    def environment(self) -> dict[str, str]:
        """What a program needs to drive it."""
        return {
            "DROPCAST_BROWSER": self.program,
            "DROPCAST_BROWSER_DRIVER": self.driver,
            "DROPCAST_BROWSER_LIBRARIES": self.libraries,
        }


def ensure() -> Browser | None:
    """Finds a browser, or fetches one; none, and a remark, where that does not go."""
    found = _on_path()
    if found:
        return found
    if not (STAMP.exists() and STAMP.read_text() == WANTED):
        if not shutil.which("apt-get"):
            say(f"            {HELP}")
            return None
        with step(f"unpacked Chromium into {TOOLS.name}/") as remarks:
            if run(["sh", "-c", _script()], cwd=TOOLS, log=LOGS / "install-chromium.log") != 0:
                remarks.append(f"no: {HELP}")
                return None
            STAMP.write_text(WANTED)
    return _unpacked()


def _on_path() -> Browser | None:
    driver = shutil.which("chromedriver")
    programs = [program for name in NAMES if (program := shutil.which(name))]
    return Browser(programs[0], driver, "") if driver and programs else None


def _unpacked() -> Browser:
    chromium = FOLDER / "usr" / "lib" / "chromium"
    shared = FOLDER / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    # libpulse finds its other half by a path that is only right once it is installed.
    libraries = [chromium, shared, shared / "pulseaudio"]
    return Browser(
        program=str(chromium / "chromium-headless-shell"),
        driver=str(FOLDER / "usr" / "bin" / "chromedriver"),
        libraries=":".join(map(str, libraries)),
    )


def _script() -> str:
    """Fetches what apt-get would install, without installing it. Its lists may not be there yet."""
    packages = Path("chromium-packages")
    apt = f'apt-get -q -o Dir::Cache::Archives="$PWD/{packages}" -o Debug::NoLocking=1'
    fetch = f"{apt} install --yes --no-install-recommends --download-only chromium-headless-shell"
    folder = shlex.quote(str(FOLDER))
    return f"""set -e
rm -rf {folder} {packages}
mkdir -p {folder} {packages}/partial
{fetch} || {{ apt-get -q update && {fetch}; }}
(cd {packages} && apt-get -q download chromium-driver)
for package in {packages}/*.deb; do dpkg-deb -x "$package" {folder}; done
rm -rf {packages}
"""
