// What #kernel.warpgroup_contraction must be on any machine.

// RUN: tessera-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect

// expected-error @+1 {{C1: expects at least 2 stages, 1 to 3 consumers and positive rasterRows, but got 1, 2 and 8}}
"test.c1_stages"() {s = #kernel.warpgroup_contraction<rows = 128, columns = 256, depth = 64, stages = 1, consumers = 2, rasterRows = 8>} : () -> ()

// -----

// expected-error @+1 {{C1: expects at least 2 stages, 1 to 3 consumers and positive rasterRows, but got 4, 4 and 8}}
"test.c1_consumers"() {s = #kernel.warpgroup_contraction<rows = 256, columns = 256, depth = 64, stages = 4, consumers = 4, rasterRows = 8>} : () -> ()

// -----

// expected-error @+1 {{C2: expects rows to be a multiple of 64 for each of 2 consumers, but got 192}}
"test.c2_rows"() {s = #kernel.warpgroup_contraction<rows = 192, columns = 256, depth = 64, stages = 4, consumers = 2, rasterRows = 8>} : () -> ()

// -----

// expected-error @+1 {{C3: expects columns to be a multiple of 64 up to 256, but got 320}}
"test.c3_columns"() {s = #kernel.warpgroup_contraction<rows = 128, columns = 320, depth = 64, stages = 4, consumers = 2, rasterRows = 8>} : () -> ()

// -----

// expected-error @+1 {{C4: expects depth to be a multiple of 64, but got 32}}
"test.c4_depth"() {s = #kernel.warpgroup_contraction<rows = 128, columns = 256, depth = 32, stages = 4, consumers = 2, rasterRows = 8>} : () -> ()

// -----

// expected-error @+1 {{C5: expects 2 consumers to take turns, but got 3}}
"test.c5_ping_pong"() {s = #kernel.warpgroup_contraction<rows = 64, columns = 128, depth = 64, stages = 4, consumers = 3, rasterRows = 8, pingPong = true>} : () -> ()
