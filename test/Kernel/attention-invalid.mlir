// What #kernel.attention must be on any machine.

// RUN: tessera-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect

// expected-error @+1 {{C1: expects positive tile and block sizes}}
"test.c1_rows"() {s = #kernel.attention<rows = 0, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 64, shortRows = 8, shortKeyBlock = 512>} : () -> ()

// -----

// expected-error @+1 {{C1: expects positive tile and block sizes}}
"test.c1_short_rows"() {s = #kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 64, shortRows = -1, shortKeyBlock = 512>} : () -> ()

// -----

// expected-error @+1 {{C2: expects queryBlock to be a multiple of rows, but got 32 and 6}}
"test.c2_query_block"() {s = #kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 32, keyBlock = 64, shortRows = 8, shortKeyBlock = 512>} : () -> ()

// -----

// expected-error @+1 {{C3: expects keyBlock to be a multiple of vectors * lanes and shortKeyBlock of lanes, but got 40, 512 and 2 * 8}}
"test.c3_key_block"() {s = #kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 40, shortRows = 8, shortKeyBlock = 512>} : () -> ()

// -----

// expected-error @+1 {{C3: expects keyBlock to be a multiple of vectors * lanes and shortKeyBlock of lanes, but got 64, 100 and 2 * 8}}
"test.c3_short_key_block"() {s = #kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 64, shortRows = 8, shortKeyBlock = 100>} : () -> ()
