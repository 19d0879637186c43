// An elementwise kernel of mixed types: silu(gate) * value, f16 and f32 in, f16
// and f32 out. Says nothing of a target: every target lowers this text.
kernel.func @silu_mul(%gate: tensor<?x?xf16>, %value: tensor<?x?xf32>, %narrow: tensor<?x?xf16>, %wide: tensor<?x?xf32>,
                      %rows: index, %columns: index) -> (tensor<?x?xf16>, tensor<?x?xf32>)
    attributes {outputs = 2 : i64,
                shapes = [affine_map<()[s0, s1] -> (s0, s1)>, affine_map<()[s0, s1] -> (s0, s1)>,
                          affine_map<()[s0, s1] -> (s0, s1)>, affine_map<()[s0, s1] -> (s0, s1)>]} {
  %empty = tensor.empty(%rows, %columns) : tensor<?x?xf32>
  %one_scalar = arith.constant 1.0 : f32
  %one = linalg.fill ins(%one_scalar : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %x = arith.extf %gate : tensor<?x?xf16> to tensor<?x?xf32>
  %negated = arith.negf %x : tensor<?x?xf32>
  %power = math.exp %negated : tensor<?x?xf32>
  %divisor = arith.addf %power, %one : tensor<?x?xf32>
  %silu = arith.divf %x, %divisor : tensor<?x?xf32>
  %product = arith.mulf %silu, %value : tensor<?x?xf32>
  %rounded = arith.truncf %product : tensor<?x?xf32> to tensor<?x?xf16>
  kernel.yield %rounded, %product : tensor<?x?xf16>, tensor<?x?xf32>
}
