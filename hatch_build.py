"""Compiles the native kernel, proxy/kernel/_native.pyx: as hatchling's build hook, and by hand as `make native`.

It needs Cython, setuptools, a C compiler, and the headers of Python and of OpenSSL 3. Where one of them is missing, an
installation goes on without: Sealwire then runs on the Python kernel and says so when it starts. With
SEALWIRE_KERNEL=native in the environment the build fails instead, and with SEALWIRE_KERNEL=python it does not try. An
editable installation takes what `make native` has put in place.

    python hatch_build.py [--sanitize] [--to FOLDER]
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # by hand
    BuildHookInterface = object  # type: ignore[assignment,misc]

KERNEL = Path(__file__).parent / "proxy" / "kernel"
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1"]


def build(*, sanitize: bool = False, to: Path = KERNEL) -> Path:
    """The extension module, compiled into the folder `to`. Raises whatever is in the way."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    extension = Extension(
        "_native",
        [str(KERNEL / "_native.pyx")],
        libraries=["crypto"],
        extra_compile_args=SANITIZE if sanitize else ["-O3"],
        extra_link_args=SANITIZE[:1] if sanitize else [],
    )
    with tempfile.TemporaryDirectory() as scratch:
        made = cythonize([extension], build_dir=scratch, quiet=True, force=True)
        command = build_ext(Distribution({"name": "sealwire", "ext_modules": made}))
        command.build_lib = command.build_temp = scratch
        command.ensure_finalized()
        command.run()
        found = Path(command.get_ext_fullpath("_native"))
        shutil.copy2(found, to / found.name)
    return to / found.name


class NativeKernel(BuildHookInterface):
    """Puts the compiled module into a wheel, which then is for one platform; an sdist has the source alone."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        wanted = os.environ.get("SEALWIRE_KERNEL", "")
        if self.target_name != "wheel" or version == "editable" or wanted == "python":
            return
        try:
            made = build(to=Path(tempfile.mkdtemp(prefix="sealwire-kernel-")))
        except (Exception, SystemExit) as error:
            if wanted == "native":
                raise
            self.app.display_warning(f"the native kernel was not compiled ({error}): Sealwire will use the Python one")
            return
        build_data["force_include"][str(made)] = f"proxy/kernel/{made.name}"
        build_data["infer_tag"] = True
        build_data["pure_python"] = False


if __name__ == "__main__":
    folder = Path(sys.argv[sys.argv.index("--to") + 1]) if "--to" in sys.argv else KERNEL
    sys.stdout.write(f"{build(sanitize='--sanitize' in sys.argv, to=folder)}\n")
