"""`python -m benchmarks.kernels`: the CPU's rows, and the GPU's where torch finds one. Rows name the path that ran."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import torch

from benchmarks.kernels import lightning, logprob, msa
from benchmarks.report import arguments, publish

MODULES = (lightning, logprob, msa)


def main() -> None:
    options = arguments("kernels")
    torch.set_num_threads(1)
    rows = [row for module in MODULES for row in module.cpu_rows(options.quick)]
    versions = {"torch": torch.__version__, "threads": str(torch.get_num_threads())}
    if torch.cuda.is_available():
        rows += [row for module in MODULES for row in module.gpu_rows(options.quick)]
        versions |= {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
        versions |= {name: _version(name) for name in ("triton", "flash-linear-attention")}
    publish("kernels", rows, versions, options.json)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


main()
