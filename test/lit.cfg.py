"""Configuration of the lit tests: FileCheck tests of passes and tools."""

import os
import shutil

import lit.formats

config.name = "Tessera"
config.test_format = lit.formats.ShTest(execute_external=False)
# ONNX text has comments of the kind that lit and FileCheck read.
config.suffixes = [".mlir", ".test", ".onnxtxt"]
# C++ and Python tests have runners of their own (see tools/check).
config.excludes = [
    "unit", "numerics", "python", "conformance", "device", "models", "Inputs",
]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.tessera_build_root, "test")

# tessera-opt, tessera; FileCheck, not, split-file, llc.
config.environment["PATH"] = os.pathsep.join([
    os.path.join(config.tessera_build_root, "bin"),
    config.llvm_tools_dir,
    os.environ["PATH"],
])
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "XDG_CACHE_HOME", "HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

# A Python with numpy and onnx, to write small models: RUN: %python %s ...
# Without the environment that tools/setup makes, any python3 (and a test that
# needs numpy or onnx says so itself).
python = config.python if os.path.exists(config.python) else "python3"
config.substitutions.append(("%python", python))
config.substitutions.append(
    ("%tools", os.path.join(config.tessera_build_root, "bin")))


def machine_flags():
    """The instruction sets of this machine, as /proc/cpuinfo names them."""
    try:
        with open("/proc/cpuinfo") as info:
            for line in info:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


# For tests that run what they compile; reading assembly needs no feature.
flags = machine_flags()
for feature, needed in {
    "avx2": {"avx2", "fma"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx512-bf16": {"avx512_bf16"},
    "avx512-vnni": {"avx512_vnni"},
}.items():
    if needed <= flags:
        config.available_features.add(feature)
if shutil.which("ptxas") or os.path.exists("/usr/local/cuda/bin/ptxas"):
    config.available_features.add("ptxas")
    config.environment["PATH"] += os.pathsep + "/usr/local/cuda/bin"
