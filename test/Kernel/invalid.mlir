// What the verifiers of the kernel dialect's operations refuse: kernel.func,
// kernel.call, kernel.launch, kernel.parallel_for and kernel.storage. Those of
// kernel.entry are in entry-invalid.mlir.

// RUN: tessera-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{'kernel.func' op C1: expects tensor arguments, then index arguments, but got 'f32' as argument 1}}
kernel.func @c1_scalar_argument(%x: tensor<4xf32>, %s: f32) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C1: expects tensor arguments, then index arguments, but got 'tensor<4xf32>' as argument 1}}
kernel.func @c1_tensor_after_index(%n: index, %x: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (4)>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C1: expects 1 to 1 outputs, but got 0}}
kernel.func @c1_no_output(%x: tensor<4xf32>)
    attributes {outputs = 0 : i64, shapes = [affine_map<() -> (4)>]} {
  "kernel.yield"() : () -> ()
}

// -----

// expected-error @+1 {{'kernel.func' op C1: expects 1 to 1 outputs, but got 2}}
kernel.func @c1_more_outputs_than_tensors(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 2 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C2: expects one shape for each of 2 tensors, but got 1}}
kernel.func @c2_shape_count(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C2: expects shape 0 to map 1 symbols to 1 sizes, but got affine_map<() -> (4)>}}
kernel.func @c2_symbol_count(%out: tensor<4xf32>, %n: index) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %out : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C2: expects shape 0 to map 0 symbols to 1 sizes, but got affine_map<(d0) -> (4)>}}
kernel.func @c2_dimension(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<(d0) -> (4)>]} {
  kernel.yield %out : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C2: expects shape 0 to map 0 symbols to 1 sizes, but got affine_map<() -> (4, 4)>}}
kernel.func @c2_rank(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4, 4)>]} {
  kernel.yield %out : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C2: expects shape 0 to map 0 symbols to 1 sizes, but got 4}}
kernel.func @c2_no_map(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [4]} {
  kernel.yield %out : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C2: expects shape 0 to agree with 'tensor<4xf32>', but got affine_map<() -> (5)>}}
kernel.func @c2_static_size(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (5)>]} {
  kernel.yield %out : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C2: expects shape 0 to agree with 'tensor<4xf32>', but got affine_map<()[s0] -> (s0)>}}
kernel.func @c2_static_size_by_symbol(%out: tensor<4xf32>, %n: index) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0)>]} {
  kernel.yield %out : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C3: expects to yield values of the outputs' types}}
kernel.func @c3_yield_type(%x: tensor<2xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (2)>, affine_map<() -> (4)>]} {
  kernel.yield %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op C4: expects schedules, but got "rows"}}
kernel.func @c4_schedule(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>], schedules = ["rows"]} {
  kernel.yield %out : tensor<4xf32>
}

// -----

func.func @call_c1_callee(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'kernel.call' op C1: expects a kernel.func, but got @call_c1_callee}}
  %y = kernel.call @call_c1_callee ins() outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

kernel.func @copy(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %out : tensor<4xf32>
}
func.func @call_c2_operands(%x: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{'kernel.call' op C2: expects operands of '(tensor<4xf32>) -> tensor<4xf32>' and results like the outputs}}
  %y = kernel.call @copy ins() outs(%x : tensor<5xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

kernel.func @copy(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %out : tensor<4xf32>
}
func.func @call_c2_sizes(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  // expected-error @+1 {{'kernel.call' op C2: expects operands of '(tensor<4xf32>) -> tensor<4xf32>' and results like the outputs}}
  %y = kernel.call @copy ins() outs(%x : tensor<4xf32>) sizes(%n) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @launch_c1_callee(%ctx: !llvm.ptr, %x: memref<4xf32>) {
  // expected-error @+1 {{'kernel.launch' op C1: expects a kernel.func, but got @nothing}}
  kernel.launch @nothing of %ctx (%x) : memref<4xf32>
  return
}

// -----

kernel.func @copy(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %out : tensor<4xf32>
}
func.func @launch_c2_counts(%ctx: !llvm.ptr, %x: memref<4xf32>, %n: index) {
  // expected-error @+1 {{'kernel.launch' op C2: expects 1 memrefs and 0 sizes, but got 2 and 1}}
  kernel.launch @copy of %ctx (%x, %x) sizes(%n) : memref<4xf32>, memref<4xf32>
  return
}

// -----

kernel.func @copy(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %out : tensor<4xf32>
}
func.func @launch_c2_shape(%ctx: !llvm.ptr, %x: memref<5xf32>) {
  // expected-error @+1 {{'kernel.launch' op C2: expects a memref like 'tensor<4xf32>' as argument 0, but got 'memref<5xf32>'}}
  kernel.launch @copy of %ctx (%x) : memref<5xf32>
  return
}

// -----

kernel.func @copy(%out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>]} {
  kernel.yield %out : tensor<4xf32>
}
func.func @launch_c2_element_type(%ctx: !llvm.ptr, %x: memref<4xf16>) {
  // expected-error @+1 {{'kernel.launch' op C2: expects a memref like 'tensor<4xf32>' as argument 0, but got 'memref<4xf16>'}}
  kernel.launch @copy of %ctx (%x) : memref<4xf16>
  return
}

// -----

func.func @parallel_for_c1_arguments(%ctx: !llvm.ptr, %n: index) {
  // expected-error @+1 {{'kernel.parallel_for' op C1: expects a body with two arguments of type 'index'}}
  "kernel.parallel_for"(%n, %ctx) ({
  ^body(%task: index):
    kernel.end
  }) : (index, !llvm.ptr) -> ()
  return
}

// -----

func.func @parallel_for_c1_type(%ctx: !llvm.ptr, %n: index) {
  // expected-error @+1 {{'kernel.parallel_for' op C1: expects a body with two arguments of type 'index'}}
  "kernel.parallel_for"(%n, %ctx) ({
  ^body(%task: i64, %worker: i64):
    kernel.end
  }) : (index, !llvm.ptr) -> ()
  return
}

// -----

func.func @storage_c1_sizes(%ctx: !llvm.ptr, %n: index) {
  // expected-error @+1 {{'kernel.storage' op C1: expects 2 sizes, but got 1}}
  %x = kernel.storage %ctx input 0 sizes(%n) : memref<?x?xf32>
  return
}

// -----

func.func @storage_c2_layout_of_a_value(%ctx: !llvm.ptr) {
  // expected-error @+1 {{'kernel.storage' op C2: expects the identity layout, or strides of an input or output, but got 'memref<4x4xf32, strided<[?, 1]>>'}}
  %x = kernel.storage %ctx value 0 : memref<4x4xf32, strided<[?, 1]>>
  return
}

// -----

func.func @storage_c2_offset_of_an_input(%ctx: !llvm.ptr) {
  // expected-error @+1 {{'kernel.storage' op C2: expects the identity layout, or strides of an input or output, but got 'memref<4x4xf32, strided<[4, 1], offset: 3>>'}}
  %x = kernel.storage %ctx input 0 : memref<4x4xf32, strided<[4, 1], offset: 3>>
  return
}
