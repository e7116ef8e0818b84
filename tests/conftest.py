"""Shared data, shared browser: what tests need beyond Python is asked for here and nowhere else."""

import os
import shutil
from pathlib import Path

import pytest

REQUIRE_ALL = os.environ.get("CCM_GEO_REQUIRE_ALL") == "1"
_SHARED = Path(__file__).resolve().parents[2] / "shared"


def _need(found: object, what: str) -> None:
    """Skip with the reason, or fail where the environment says that everything must be there."""
    if not found:
        (pytest.fail if REQUIRE_ALL else pytest.skip)(f"{what} is not here")


@pytest.fixture(scope="session")
def shared_data():
    folder = _SHARED / "data"
    _need(folder.is_dir(), "the folder of public data (shared/data beside the checkout)")
    return folder


@pytest.fixture(scope="session")
def shared_cases():
    folder = _SHARED / "cases"
    _need(folder.is_dir(), "the folder of known optima (shared/cases beside the checkout)")
    return folder


@pytest.fixture(scope="session")
def shared_bench():
    folder = _SHARED / "bench"
    _need(folder.is_dir(), "the generator of countries (shared/bench beside the checkout)")
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium with its network cut: every name resolves to nowhere, every console line is kept."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    _need(binary and driver, "Chromium with its driver")
    from selenium import webdriver  # noqa: PLC0415 - only where a browser is at hand

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--window-size=1280,800",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()
