#!/usr/bin/env python3
"""Checks and times the compiled device kernels on a GPU; see README.md."""

import argparse
import json
import pathlib
import subprocess
import sys

from kernels import KERNELS, files

GUARD_BYTES = 4096
L2_FLUSH_BYTES = 256 << 20
ROUNDS = 20
WARM_UP_ROUNDS = 3
GROUP_SECONDS = {"check": 150, "time": 200}


def load(folder, kernel, schedule):
    from launch import DeviceKernel
    base = folder / files(kernel, schedule)
    launches = json.loads(pathlib.Path(f"{base}.json").read_text())
    return DeviceKernel(pathlib.Path(f"{base}.ptx").read_bytes(),
                        launches[kernel.symbol], kernel.symbol)


def guarded(tensor, torch):
    """An output full of NaN that lies between guards, also NaN."""
    guard = GUARD_BYTES // tensor.element_size()
    whole = torch.full((tensor.numel() + 2 * guard,), float("nan"),
                       device="cuda", dtype=tensor.dtype)
    return whole[guard:guard + tensor.numel()].view(tensor.shape), whole


def check_one(run_kernel, kernel, shape, torch):
    """None, or what is wrong with one run; and the largest relative error."""
    inputs, outputs = kernel.make(shape, torch)
    outputs, wholes = zip(*(guarded(t, torch) for t in outputs))
    run_kernel(list(inputs) + list(outputs), shape)
    torch.cuda.synchronize()
    worst = 0.0
    for out, whole, reference, tolerance in zip(
            outputs, wholes, kernel.reference(inputs, torch),
            kernel.tolerances):
        guard = (whole.numel() - out.numel()) // 2
        if not (whole[:guard].isnan().all() and whole[-guard:].isnan().all()):
            return "wrote outside the output", worst
        if out.isnan().any():
            return f"left {int(out.isnan().sum())} elements unwritten", worst
        norm = reference.norm().item()
        error = (out.float() - reference).norm().item() / max(norm, 1e-30)
        worst = max(worst, error)
        if not error <= tolerance:
            return f"error {error:.2e} above {tolerance:.0e}", worst
    return None, worst


def check_group(folder):
    """Every kernel, schedule and shape, twice on fresh data."""
    import torch
    torch.manual_seed(20261124)
    torch.backends.cuda.matmul.allow_tf32 = False
    failures = []
    for kernel in KERNELS:
        for schedule in kernel.schedules:
            device = load(folder, kernel, schedule)
            worst = 0.0
            for shape in kernel.shapes * 2:
                wrong, error = check_one(
                    lambda tensors, symbols: device.bind(tensors, symbols)(),
                    kernel, shape, torch)
                worst = max(worst, error)
                if wrong:
                    failures.append(f"{kernel.text} {schedule} {shape}: {wrong}")
                    print("FAIL", failures[-1], flush=True)
            print(f"checked {kernel.text:26} {schedule:18} "
                  f"{len(kernel.shapes) * 2} runs, largest error {worst:.2e}",
                  flush=True)
    print(json.dumps({"failures": failures}))
    return not failures


def interleaved_medians(functions, torch):
    """Milliseconds of each function: rounds over all of them, so that a drift
    of the clocks hits all alike, each after the L2 cache was flushed."""
    flush = torch.empty(L2_FLUSH_BYTES // 4, dtype=torch.int32, device="cuda")
    for function in functions.values():
        for _ in range(WARM_UP_ROUNDS):
            function()
    torch.cuda.synchronize()
    events = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            flush.zero_()
            begin, end = (torch.cuda.Event(enable_timing=True)
                          for _ in range(2))
            begin.record()
            function()
            end.record()
            events[name].append((begin, end))
    torch.cuda.synchronize()
    times = {name: sorted(b.elapsed_time(e) for b, e in pairs)
             for name, pairs in events.items()}
    return {name: values[len(values) // 2] for name, values in times.items()}


def time_group(folder):
    import torch
    print(torch.cuda.get_device_name(0), "torch", torch.__version__)
    rows = []
    for kernel in KERNELS:
        loaded = {s: load(folder, kernel, s) for s in kernel.schedules}
        for shape in kernel.timed:
            inputs, outputs = kernel.make(shape, torch)
            tensors = list(inputs) + list(outputs)
            functions = {s: device.bind(tensors, shape)
                         for s, device in loaded.items()}
            for name, rival in kernel.rivals.items():
                functions[name] = lambda rival=rival: rival(inputs, torch)
            bytes_moved = sum(t.numel() * t.element_size() for t in tensors)
            for name, ms in interleaved_medians(functions, torch).items():
                rate = (kernel.flops(shape) / ms / 1e9 if kernel.flops
                        else bytes_moved / ms / 1e6)
                unit = "TFLOP/s" if kernel.flops else "GB/s"
                rows.append({"kernel": kernel.text, "shape": shape,
                             "variant": name, "ms": ms, unit: rate})
                print(f"{kernel.text:26} {str(shape):20} {name:20} "
                      f"{ms * 1e3:9.1f} us {rate:7.0f} {unit}", flush=True)
    print(json.dumps({"timings": rows}))
    return True


def run_group(group, folder, results):
    """Runs a group in a child: a hanging kernel ends with it."""
    command = [sys.executable, __file__, str(folder), "--group", group]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = child.communicate(timeout=GROUP_SECONDS[group])
    except subprocess.TimeoutExpired:
        child.kill()
        output, _ = child.communicate()
        print(output)
        print(f"FAIL {group}: no end after {GROUP_SECONDS[group]} s "
              "(a barrier that never completes?)")
        return False
    lines = output.splitlines()
    if lines and lines[-1].startswith("{"):
        results.update(json.loads(lines.pop()))
    print("\n".join(lines))
    if child.returncode:
        print(f"FAIL {group}: exit status {child.returncode}")
    return child.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path,
                        help="what compile_kernels.py wrote")
    parser.add_argument("--group", choices=GROUP_SECONDS)
    parser.add_argument("--json", type=pathlib.Path, help="write all numbers")
    arguments = parser.parse_args()
    if arguments.group:
        group = {"check": check_group, "time": time_group}[arguments.group]
        return 0 if group(arguments.folder) else 1
    results = {}
    passed = [run_group(group, arguments.folder, results)
              for group in GROUP_SECONDS]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    print("PASS" if all(passed) else "FAIL")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
