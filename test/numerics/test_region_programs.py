"""Random programs of branches and loops, against the same programs in Python."""

import numpy as np
import pytest
from test_regions import check, compiled, tensor  # noqa: F401: compiled is a fixture


class Program:
    """MLIR text and Python text of the same program on tensors of 3 elements."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.count = 0

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def pick(self, values):
        # Mostly what is new: old values make long lives, new ones deep programs.
        return values[-1 - int(min(self.random.exponential(2), len(values) - 1))]

    def block(self, values, depth, indices):
        """Appends to `values` what it makes; gives lines of both."""
        mlir, python = [], []
        for _ in range(int(self.random.integers(1, 5))):
            kind = self.random.integers(0, 8) if depth < 3 else 0
            result = self.name()
            if kind < 5:
                self.operation(result, values, mlir, python)
            elif kind == 5:
                self.branch(result, values, depth, indices, mlir, python)
            else:
                self.loop(result, values, depth, indices, mlir, python)
                values.append(result + "b")
            values.append(result)
        return mlir, python

    def operation(self, result, values, mlir, python):
        a, b = self.pick(values), self.pick(values)
        op, text = [("math.sin %{a}", "np.sin({a})"), ("arith.addf %{a}, %{b}", "{a} + {b}"),
                    ("arith.subf %{a}, %{b}", "{a} - {b}"),
                    ("math.tanh %{a}", "np.tanh({a})")][self.random.integers(0, 4)]
        mlir.append(f"%{result} = {op.format(a=a, b=b)} : tensor<3xf32>")
        python.append(f"{result} = {text.format(a=a, b=b)}")

    def branch(self, result, values, depth, indices, mlir, python):
        index, limit = self.pick(indices), self.random.integers(0, 3)
        mlir += [f"%{result}l = arith.constant {limit} : index",
                 f"%{result}c = arith.cmpi ult, %{index}, %{result}l : index",
                 f"%{result} = scf.if %{result}c -> (tensor<3xf32>) {{"]
        for head, condition in ((None, f"if {index} < {limit}:"), ("} else {", "else:")):
            inner = list(values)
            lines, code = self.block(inner, depth + 1, indices)
            given = self.pick(inner)
            mlir += ([head] if head else []) + lines + [f"scf.yield %{given} : tensor<3xf32>"]
            python += [condition] + ["  " + line for line in [*code, f"{result} = {given}"]]
        mlir.append("}")

    def loop(self, result, values, depth, indices, mlir, python):
        bound, a, b = self.pick(indices[:2]), f"{result}p", f"{result}q"
        first, second = self.pick(values), self.pick(values)
        mlir.append(f"%{result}, %{result}b = scf.for %{result}i = %c0 to %{bound} step %c1 "
                    f"iter_args(%{a} = %{first}, %{b} = %{second}) -> (tensor<3xf32>, tensor<3xf32>) {{")
        inner = [*values, a, b]
        lines, code = self.block(inner, depth + 1, [*indices, f"{result}i"])
        x, y = self.pick(inner), self.pick(inner)
        mlir += lines + [f"scf.yield %{x}, %{y} : tensor<3xf32>, tensor<3xf32>", "}"]
        python += [f"{a}, {b} = {first}, {second}", f"for {result}i in range({bound}):"]
        python += ["  " + line for line in [*code, f"{a}, {b} = {x}, {y}"]]
        python.append(f"{result}, {result}b = {a}, {b}")

    def texts(self):
        values = ["x0", "x1"]
        mlir, python = [], []
        while len(mlir) < 25:
            lines, code = self.block(values, 0, ["n", "m"])
            mlir, python = mlir + lines, python + code
        outputs = [self.pick(values) for _ in range(3)]
        types = ", ".join(["tensor<3xf32>"] * 3)
        results = ", ".join(f'tensor<3xf32> {{graph.name = "y{i}"}}' for i in range(3))
        head = f"""
func.func @main(%x0: tensor<3xf32> {{graph.name = "x0", graph.dims = [3]}},
    %x1: tensor<3xf32> {{graph.name = "x1", graph.dims = [3]}},
    %k: tensor<2xi64> {{graph.name = "k", graph.dims = [2]}}) -> ({results}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %k0 = tensor.extract %k[%c0] : tensor<2xi64>
  %k1 = tensor.extract %k[%c1] : tensor<2xi64>
  %n = arith.index_cast %k0 : i64 to index
  %m = arith.index_cast %k1 : i64 to index
"""
        end = f"return {', '.join('%' + o for o in outputs)} : {types}\n}}\n"
        return head + "\n".join(mlir) + "\n" + end, "\n".join(python), outputs


@pytest.mark.parametrize("seed", [*range(10), 119, 121])
def test_random_programs(compiled, seed):
    text, python, outputs = Program(seed).texts()
    session = compiled(text)
    for n, m in ((0, 0), (1, 2), (3, 1), (2, 3)):
        names = {"x0": tensor(3), "x1": tensor(3), "n": n, "m": m, "np": np}
        feeds = {"x0": names["x0"], "x1": names["x1"], "k": np.array([n, m])}
        exec(python, names)
        check(session, feeds, *(names[output] for output in outputs))
