"""Builds the kernels where there is a C compiler; without one the composed form serves.

Everything else about the package is in setup.cfg.
"""

from __future__ import annotations

import platform
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

KERNELS = Path("paddle_margin", "_kernels")
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-g0", "-Wall"]
INSTRUCTION_SETS = {"baseline": []}
if platform.machine().lower() in ("x86_64", "amd64"):
    avx512 = [f"-mavx512{part}" for part in ("f", "bw", "dq", "vl")]
    INSTRUCTION_SETS["avx2"] = ["-mavx2", "-mfma"]
    INSTRUCTION_SETS["avx512"] = [*avx512, "-mfma", "-mprefer-vector-width=512"]


class BuildKernels(build_ext):
    """Compiles the kernels once for each instruction set, and links them into one library.

    Python's headers are not needed: the library is loaded by ctypes, under any Python.
    """

    def build_extension(self, ext: Extension) -> None:
        # An instruction set that the compiler does not know is left out.
        for name, flags in INSTRUCTION_SETS.items():
            try:
                ext.extra_objects += self.compiler.compile(
                    [str(path) for path in sorted(KERNELS.glob("losses/*.c"))],
                    output_dir=str(Path(self.build_temp, name)),
                    macros=[("INSTRUCTIONS", name)],
                    include_dirs=[str(KERNELS)],
                    extra_postargs=FLAGS + flags,
                    depends=ext.depends,
                )
            except CompileError:
                if name == "baseline":
                    raise
        super().build_extension(ext)


setup(
    cmdclass={"build_ext": BuildKernels},
    ext_modules=[
        Extension(
            "paddle_margin._kernels.library",
            sources=[str(path) for path in sorted(KERNELS.glob("*.c"))],
            depends=[str(path) for path in sorted(KERNELS.glob("**/*.[ch]"))],
            extra_compile_args=FLAGS,
            libraries=["m", "pthread"],
            py_limited_api=True,
            optional=True,
        )
    ],
)
