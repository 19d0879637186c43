// An elementwise kernel with broadcasts along both dimensions:
// tanh(x[i, j] * scale[j] + shift[i, 0]), in f32 between f16 input and output.
// Says nothing of a target.
kernel.func @scale_shift_tanh(%x: tensor<?x?xf16>, %scale: tensor<?xf32>, %shift: tensor<?x1xf32>, %out: tensor<?x?xf16>,
                              %rows: index, %columns: index) -> tensor<?x?xf16>
    attributes {outputs = 1 : i64,
                shapes = [affine_map<()[s0, s1] -> (s0, s1)>, affine_map<()[s0, s1] -> (s1)>,
                          affine_map<()[s0, s1] -> (s0, 1)>, affine_map<()[s0, s1] -> (s0, s1)>]} {
  %wide = arith.extf %x : tensor<?x?xf16> to tensor<?x?xf32>
  %scales = graph.broadcast_to %scale sizes(%rows, %columns) : tensor<?xf32> -> tensor<?x?xf32>
  %shifts = graph.broadcast_to %shift sizes(%rows, %columns) : tensor<?x1xf32> -> tensor<?x?xf32>
  %scaled = arith.mulf %wide, %scales : tensor<?x?xf32>
  %shifted = arith.addf %scaled, %shifts : tensor<?x?xf32>
  %tanh = math.tanh %shifted : tensor<?x?xf32>
  %result = arith.truncf %tanh : tensor<?x?xf32> to tensor<?x?xf16>
  kernel.yield %result : tensor<?x?xf16>
}
