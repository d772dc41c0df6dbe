"""Package metadata. Every setting is read from settings.ini: edit there, not here."""

import shlex
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
SPDX = {"apache2": "Apache-2.0"}
STATUSES = "Planning,Pre-Alpha,Alpha,Beta,Production/Stable,Mature,Inactive".split(",")

config = ConfigParser(delimiters=["="])
config.read(ROOT / "settings.ini", encoding="utf-8")
settings = config["DEFAULT"]


def items(key):
    return shlex.split(settings.get(key, ""))


def python_versions(lowest, highest="3.13"):
    first, last = (int(version.split(".")[1]) for version in (lowest, highest))
    return [f"3.{minor}" for minor in range(first, last + 1)]


package = settings["lib_path"]
status = int(settings["status"])
suffix = "_requirements"
readme = ROOT / "README.md"

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    # README.md is generated from the index notebook, so a checkout in between may lack it.
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else settings["description"],
    long_description_content_type="text/markdown",
    keywords=items("keywords"),
    author=settings["author"],
    author_email=settings["author_email"] or None,
    url=settings["git_url"] or None,
    license_expression=SPDX[settings["license"]],
    license_files=["LICENSE"],
    classifiers=[
        f"Development Status :: {status} - {STATUSES[status - 1]}",
        f"Intended Audience :: {settings['audience']}",
        f"Natural Language :: {settings['language']}",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: {version}" for version in python_versions(settings["min_python"])),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=f">={settings['min_python']}",
    packages=find_packages(include=[package, f"{package}.*"]),
    package_data={package: items("package_data")},
    include_package_data=False,
    install_requires=items("requirements"),
    extras_require={key.removesuffix(suffix): items(key) for key in settings if key.endswith(suffix)},
    entry_points={"console_scripts": items("console_scripts"), "nbdev": [f"{package}={package}._modidx:d"]},
    zip_safe=False,
)
