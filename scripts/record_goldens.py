"""Record what torch gives for every row that it can run.

Writes conformance/goldens/<loss>.safetensors and manifest.json. Needs torch, and no Paddle.
Run twice, it writes the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from safetensors.numpy import save  # noqa: E402

from conformance import torch_reference  # noqa: E402
from conformance.case import Case, Loss  # noqa: E402
from conformance.cases import all_losses  # noqa: E402
from conformance.torch_reference import GOLDENS, MANIFEST, NotRecorded  # noqa: E402

SEED = 0
"""Of torch's generator. No row draws from it; random rows name their own seeds."""


def main() -> int:
    """Record, or compare with what is recorded; the exit status is 0 where all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if recording gives other bytes"
    )
    check = parser.parse_args().check
    try:
        torch = torch_reference.framework()
    except ImportError as error:
        parser.error(str(error))
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    if not check:
        record(GOLDENS, torch)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder), torch)
        return compare(GOLDENS, Path(folder))


def record(folder: Path, torch: Any) -> None:
    """Record every loss into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, Any] = {
        "torch": torch.__version__,
        "platform": f"{platform.system()} {platform.machine()} {cpu(torch)}",
        "seed": SEED,
        "losses": {},
    }
    for stem, loss in all_losses().items():
        tensors, facts = record_loss(loss)
        data = save(tensors)
        write(folder / f"{stem}.safetensors", data)
        manifest["losses"][stem] = {"sha256": hashlib.sha256(data).hexdigest(), **facts}
        print(f"{stem}: {facts['recorded']} recorded, {len(facts['not_recorded'])} not,", end=" ")
        print(f"{len(facts['inaccurate'])} where torch exceeds the contract's budget")
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    write(folder / MANIFEST, (text + "\n").encode())


def cpu(torch: Any) -> str:
    """The instruction set that torch's kernels use, on which its last bits may depend."""
    return str(torch.backends.cpu.get_cpu_capability())


def record_loss(loss: Loss) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tensors of one loss, and what the manifest says of it."""
    tensors: dict[str, Any] = {}
    not_recorded: dict[str, str] = {}
    inaccurate: dict[str, str] = {}
    recorded = 0
    for case in loss.cases:
        for dtype in case.dtypes:
            name = torch_reference.key(case, dtype)
            answer = answered(loss, case, dtype)
            if isinstance(answer, NotRecorded):
                if case.raises is None:
                    not_recorded[name] = answer.reason
                continue
            recorded += 1
            tensors.update(torch_reference.packed(answer, name))
            inaccurate.update(torch_reference.inaccuracies(loss, case, dtype, answer))
    rows = {case.id: torch_reference.digest(case) for case in loss.cases if case.raises is None}
    return tensors, {
        "recorded": recorded,
        "not_recorded": not_recorded,
        "inaccurate": inaccurate,
        "rows": rows,
    }


def answered(loss: Loss, case: Case, dtype: str) -> torch_reference.Answer:
    """torch's answer; a row that torch cannot run must say so itself."""
    try:
        return torch_reference.live(loss, case, dtype)
    except (RuntimeError, TypeError, ValueError) as error:
        raise SystemExit(f"{loss.stem}/{case.id}/{dtype} needs a torch reason: {error}") from error


def write(path: Path, data: bytes) -> None:
    """Write under a temporary name and rename, so that no half-written file is ever read."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def compare(old: Path, new: Path) -> int:
    """Print which files differ; 1 if any does."""
    names = sorted({path.name for folder in (old, new) for path in folder.iterdir()})
    different = [n for n in names if not same(old / n, new / n)]
    for name in different:
        print(f"{name}: recording it again gives other bytes", file=sys.stderr)
    return 1 if different else 0


def same(a: Path, b: Path) -> bool:
    """Whether both files exist with the same bytes."""
    return a.exists() and b.exists() and a.read_bytes() == b.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
