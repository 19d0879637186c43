// What #kernel.contraction and #kernel.rows must be on any machine; see
// attention-invalid.mlir and warpgroup-contraction-invalid.mlir for the others.

// RUN: tessera-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect

// expected-error @+1 {{C1: expects positive tile and task sizes}}
"test.contraction_c1_rows"() {s = #kernel.contraction<rows = 0, vectors = 2, lanes = 8, taskRows = 96, taskPanels = 4, prefetchRows = 0>} : () -> ()

// -----

// expected-error @+1 {{C1: expects positive tile and task sizes}}
"test.contraction_c1_task_panels"() {s = #kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 96, taskPanels = 0, prefetchRows = 0>} : () -> ()

// -----

// expected-error @+1 {{C1: expects positive tile and task sizes}}
"test.contraction_c1_prefetch_rows"() {s = #kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 96, taskPanels = 4, prefetchRows = -1>} : () -> ()

// -----

// expected-error @+1 {{C2: expects taskRows to be a multiple of rows, but got 95 and 6}}
"test.contraction_c2_task_rows"() {s = #kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 95, taskPanels = 4, prefetchRows = 0>} : () -> ()

// -----

// expected-error @+1 {{C3: expects 32 rows and 2 vectors of 16 lanes for tiles, but got 16, 2 and 16}}
"test.contraction_c3_tiles"() {s = #kernel.contraction<rows = 16, vectors = 2, lanes = 16, taskRows = 96, taskPanels = 4, prefetchRows = 0, accumulate = bf16_tiles>} : () -> ()

// -----

// expected-error @+1 {{C1: expects positive sizes}}
"test.rows_c1_lanes"() {s = #kernel.rows<lanes = 0, unroll = 4, taskElements = 4096>} : () -> ()

// -----

// expected-error @+1 {{C1: expects positive sizes}}
"test.rows_c1_task_elements"() {s = #kernel.rows<lanes = 8, unroll = 4, taskElements = 0>} : () -> ()

// -----

// expected-error @+1 {{C1: expects streamBytes and prefetchRows not to be negative, but got -1 and 0}}
"test.rows_c1_stream_bytes"() {s = #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096, streamBytes = -1>} : () -> ()

// -----

// expected-error @+1 {{C1: expects streamBytes and prefetchRows not to be negative, but got 0 and -2}}
"test.rows_c1_prefetch_rows"() {s = #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096, prefetchRows = -2>} : () -> ()
