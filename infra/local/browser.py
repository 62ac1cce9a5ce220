"""A headless Chromium with its driver, for the scenarios that need a browser.

If Chromium and chromedriver are installed on this machine, they are used. Otherwise
apt-get downloads Debian's signed packages, and they are unpacked into `.tools` with the
libraries that the machine lacks; nothing is installed. Without either, the command goes on
without a browser, and those scenarios fail.
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
from tools import Tool

FOLDER = TOOLS / "chromium"
NAMES = ("chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome")
HELP = (
    "the scenarios that need a browser will fail; install Chromium and chromedriver on PATH, then run again"
)


@dataclass(frozen=True)
class Browser:
    """The paths of a browser and its driver."""

    program: str
    driver: str
    libraries: str
    """Extra library folders in the format of LD_LIBRARY_PATH; empty for an installed browser."""

    def environment(self) -> dict[str, str]:
        """Returns the variables that the scenarios read (tests/scenarios/accounts/chromium.rs)."""
        return {
            "DROPCAST_BROWSER": self.program,
            "DROPCAST_BROWSER_DRIVER": self.driver,
            "DROPCAST_BROWSER_LIBRARIES": self.libraries,
        }


def ensure() -> Browser | None:
    """Finds or downloads a browser. If that fails, prints what to do and returns None."""
    installed = _on_path()
    if installed:
        return installed
    package = Tool("chromium", "chromium-headless-shell and chromium-driver of Debian, unpacked\n", _script())
    if not package.is_current():
        if not shutil.which("apt-get"):
            say(f"            {HELP}")
            return None
        with step(f"unpacked Chromium into {TOOLS.name}/") as remarks:
            if run(["sh", "-c", package.script], cwd=TOOLS, log=LOGS / "install-chromium.log") != 0:
                remarks.append(f"no: {HELP}")
                return None
            package.mark_current()
    return _unpacked()


def _on_path() -> Browser | None:
    driver = shutil.which("chromedriver")
    programs = [program for name in NAMES if (program := shutil.which(name))]
    return Browser(programs[0], driver, "") if driver and programs else None


def _unpacked() -> Browser:
    chromium = FOLDER / "usr" / "lib" / "chromium"
    shared = FOLDER / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    # libpulse loads a library of this folder by an absolute path, which is wrong for an unpacked package.
    libraries = [chromium, shared, shared / "pulseaudio"]
    return Browser(
        program=str(chromium / "chromium-headless-shell"),
        driver=str(FOLDER / "usr" / "bin" / "chromedriver"),
        libraries=":".join(map(str, libraries)),
    )


def _script() -> str:
    """Returns a shell script that downloads and unpacks the packages that apt-get would install.

    If the download fails, the script updates the package lists and tries once more.
    """
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
