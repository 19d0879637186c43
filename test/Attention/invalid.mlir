// RUN: tessera-opt %s --split-input-file --verify-diagnostics

func.func @sdpa_c1_rank(%q: tensor<2x4x8xf32>, %k: tensor<1x2x4x8xf32>) {
  // expected-error @+1 {{C1: expects query to have rank 4, but got 3}}
  %o = attention.sdpa %q, %k, %k scale 1.0 : tensor<2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c1_element_type(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x4x8xf16>) {
  // expected-error @+1 {{C1: expects key to have elements of 'f32', but got 'f16'}}
  %o = attention.sdpa %q, %k, %q scale 1.0 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf16>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c2_key_dim(%q: tensor<1x2x4x64xf32>, %k: tensor<1x2x4x80xf32>) {
  // expected-error @+1 {{C2: expects key's headDim to be 64, but got 80}}
  %o = attention.sdpa %q, %k, %q scale 1.0 : tensor<1x2x4x64xf32>, tensor<1x2x4x80xf32>, tensor<1x2x4x64xf32> -> tensor<1x2x4x64xf32>
  return
}

// -----

func.func @sdpa_c2_value_length(%q: tensor<1x2x4x64xf32>, %v: tensor<1x2x5x64xf32>) {
  // expected-error @+1 {{C2: expects value's length to be 4, but got 5}}
  %o = attention.sdpa %q, %q, %v scale 1.0 : tensor<1x2x4x64xf32>, tensor<1x2x4x64xf32>, tensor<1x2x5x64xf32> -> tensor<1x2x4x64xf32>
  return
}

// -----

func.func @sdpa_c3_heads(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x4x8xf32>) {
  // expected-error @+1 {{C3: expects query heads to be a multiple of 2, but got 3}}
  %o = attention.sdpa %q, %k, %k scale 1.0 : tensor<1x3x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x3x4x8xf32>
  return
}

// -----

func.func @sdpa_c4_result(%q: tensor<1x2x4x8xf32>, %v: tensor<1x2x4x16xf32>) {
  // expected-error @+1 {{C4: expects the result's last size to be 16, but got 8}}
  %o = attention.sdpa %q, %q, %v scale 1.0 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x16xf32> -> tensor<1x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c5_bias(%q: tensor<1x2x4x8xf32>, %b: tensor<1x2x4x3xf32>) {
  // expected-error @+1 {{C5: expects dimension 3 of bias to be 1 or 4, but got 3}}
  %o = attention.sdpa %q, %q, %q bias %b scale 1.0 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> bias tensor<1x2x4x3xf32> -> tensor<1x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c5_mask_rank(%q: tensor<1x2x4x8xf32>, %m: tensor<4x4xi1>) {
  // expected-error @+1 {{C5: expects mask to have rank 4, but got 2}}
  %o = attention.sdpa %q, %q, %q mask %m scale 1.0 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> mask tensor<4x4xi1> -> tensor<1x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c6_key_lengths(%q: tensor<2x2x4x8xf32>, %n: tensor<3xi32>) {
  // expected-error @+1 {{C6: expects key_lengths to be one for each batch, but got 'tensor<3xi32>'}}
  %o = attention.sdpa %q, %q, %q key_lengths %n scale 1.0 : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> key_lengths tensor<3xi32> -> tensor<2x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c7_offset(%q: tensor<2x2x4x8xf32>, %n: index) {
  // expected-error @+1 {{C7: expects an offset only with causal or window}}
  %o = attention.sdpa %q, %q, %q offset %n scale 1.0 : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> -> tensor<2x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c8_window(%q: tensor<2x2x4x8xf32>) {
  // expected-error @+1 {{C8: expects a window of two numbers of at least -1, but got array<i64: 1, -2>}}
  %o = attention.sdpa %q, %q, %q scale 1.0 window = [1, -2] : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> -> tensor<2x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c9_scale(%q: tensor<2x2x4x8xf32>) {
  // expected-error @+1 {{C9: expects a finite scale}}
  %o = attention.sdpa %q, %q, %q scale 0x7F800000 : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> -> tensor<2x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c9_softcap(%q: tensor<2x2x4x8xf32>) {
  // expected-error @+1 {{C9: expects a finite, positive softcap, but got 0.000000e+00 : f32}}
  %o = attention.sdpa %q, %q, %q scale 1.0 softcap = 0.0 : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> -> tensor<2x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c10_log_sum_exp(%q: tensor<2x2x4x8xf32>) {
  // expected-error @+1 {{C10: expects log_sum_exp to be [batch, queryHeads, queryLength], but got 'tensor<2x2x5xf32>'}}
  %o:2 = attention.sdpa %q, %q, %q scale 1.0 : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> -> tensor<2x2x4x8xf32>, tensor<2x2x5xf32>
  return
}

// -----

func.func @sdpa_c11_score_arguments(%q: tensor<2x2x4x8xf32>) {
  // expected-error @+1 {{C11: expects the score region to have one block with arguments}}
  %o = attention.sdpa %q, %q, %q scale 1.0 score {
  ^bb0(%s: f32):
    attention.yield %s : f32
  } : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> -> tensor<2x2x4x8xf32>
  return
}

// -----

func.func @sdpa_c11_mask_yield(%q: tensor<2x2x4x8xf32>, %f: f32) {
  // expected-error @+1 {{C11: expects the mask region to yield 'i1'}}
  %o = attention.sdpa %q, %q, %q scale 1.0 visible {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    attention.yield %f : f32
  } : tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32>, tensor<2x2x4x8xf32> -> tensor<2x2x4x8xf32>
  return
}
