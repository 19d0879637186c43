"""Writes an entry of many kernels that each read a reshape of the last one's result,
with what its storage must be."""

CALLS = 60
TYPES = ["2x2xf32", "4xf32"]  # of the values with even and odd numbers

for name, type in zip("ab", TYPES):
    shape = type.removesuffix("xf32").replace("x", ", ")
    print(f"""
kernel.func @{name}(%x: tensor<{type}>, %out: tensor<{type}>) -> tensor<{type}>
    attributes {{outputs = 1 : i64, shapes = [affine_map<() -> ({shape})>, affine_map<() -> ({shape})>], schedules = [#kernel.generic]}} {{
  %r = arith.negf %x : tensor<{type}>
  kernel.yield %r : tensor<{type}>
}}""")

print("""
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<2x2xf32> {graph.name = "x", graph.dims = [2, 2]}) -> (tensor<4xf32> {graph.name = "y"}) {
  %e0 = tensor.empty() : tensor<2x2xf32>
  %e1 = tensor.empty() : tensor<4xf32>""")
source = "%x"
for i in range(CALLS):
    own, other = TYPES[i % 2], TYPES[1 - i % 2]
    name = "ab"[i % 2]
    print(f"""
// CHECK: kernel.storage %{{{{.*}}}} {f"value {i - 1}" if i else "input 0"} : memref<{own}>
// CHECK: kernel.storage %{{{{.*}}}} {f"value {i}" if i < CALLS - 1 else "output 0"} : memref<{own}>
// CHECK: kernel.launch @{name}
  %r{i} = kernel.call @{name} ins({source} : tensor<{own}>) outs(%e{i % 2} : tensor<{own}>) -> tensor<{own}>""")
    if i < CALLS - 1:
        how = "collapse" if i % 2 == 0 else "expand"
        sizes = "" if i % 2 == 0 else " output_shape [2, 2]"
        print(f"  %v{i} = tensor.{how}_shape %r{i} [[0, 1]]{sizes} : tensor<{own}> into tensor<{other}>")
        source = f"%v{i}"
print(f"  return %r{CALLS - 1} : tensor<4xf32>\n}}")
