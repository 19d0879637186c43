// Passes on the graph state.
include "mlir/Pass/PassBase.td"

def SinkReshapes : Pass<"graph-sink-reshapes", "mlir::func::FuncOp"> {
  let summary = "Move reshapes of computed values below elementwise operations";
  let description = [{
    A reshape between a contraction and its epilogue would end the kernel. Below
    the epilogue it is a view of stored bytes:

      %v = tensor.expand_shape %p [[0, 1], [2]]        %s = arith.addf %p, (collapse of %b)
      %s = arith.addf %v, %b                      ==>  %v = tensor.expand_shape %s [[0, 1], [2]]

    Moves only reshapes of results with one use that are computed (not of
    arguments, weights or constants). Reshapes of broadcasts that only insert or
    remove dimensions of size 1 become broadcasts of reshapes, so that the other
    operands stay index maps.
  }];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect"];
}

def SimplifyPowers : Pass<"graph-simplify-powers", "mlir::func::FuncOp"> {
  let summary = "Turn powers with known small exponents into products and roots";
  let description = [{
    The general power is a call for each element. With one exponent for all elements:

      math.powf %x, 3.0   ==>   %s = arith.mulf %x, %x ; arith.mulf %s, %x

    Exponents 1, 2, -1 and 0.5 (as C's pow: 0 for -0, infinity for -infinity), and
    3 and 4, which round twice, where elements have 32 bits or more.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect"];
}

def RaiseAttention : Pass<"raise-attention", "mlir::func::FuncOp"> {
  let summary = "Make attention that was taken apart one operation";
  let description = [{
    Softmax of a product of queries and keys, times values, by data flow:

      %s = contract %q, %k ; %t = %s * scale + bias ; %p = softmax %t
      %o = contract %p, %v   ==>   %o = attention.sdpa %q, %k, %v bias scale

    Transposes, reshapes, type casts and broadcasts may stand anywhere between; the
    scale on queries, keys or scores, by products or quotients; softmax may be taken
    apart; keys may be repeated for several heads. A selection of a score or -inf is
    a mask, of a score or a number below -1e20 a bias, like every sum. A factor that
    all keys share goes to the queries, a lower limit below -1e20 to the bias. A guard
    that turns NaN probabilities into 0 gives `masked_rows = zero`.

    Leaves attention alone whose scores or probabilities have another use. A missed
    remark names the edge at which a match ended; expects simplified constants, and
    stands before folds that would move scales into weights.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect",
                           "tessera::attention::AttentionDialect"];
}

def Canonicalize : Pass<"graph-canonicalize"> {
  let summary = "Simplify as upstream's canonicalizer does, but keep unknown sizes";
  let description = [{
    Upstream folds an operation on two equal tensors to a constant even where their
    size is not known: nothing tells it any more. Here the result keeps it:

      arith.cmpi eq, %x, %x : tensor<?xi32>
        ==>  graph.broadcast_to dense<true> sizes(%n) : tensor<i1> -> tensor<?xi1>

    A `graph.assert` of a condition that was asserted before it goes away, and so does
    a cast back to the type before a cast. A call of a kernel keeps the types of what
    it names. Everything else is as in `canonicalize`.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::tensor::TensorDialect",
                           "tessera::graph::GraphDialect"];
}

def LegalizeBooleans : Pass<"graph-legalize-booleans", "mlir::func::FuncOp"> {
  let summary = "Make boolean inputs and outputs of the entry bytes";
  let description = [{
    Storage holds booleans as i8, 0 or 1; registers hold i1.

      func @main(%x: tensor<4xi1>)   ==>   func @main(%b: tensor<4xi8>)
                                             %x = arith.trunci %b

    So with what branches give and loops carry.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}

def OutlineConstants : Pass<"graph-outline-constants", "mlir::ModuleOp"> {
  let summary = "Make constants that are not splats weights";
  let description = [{
    Kernels take data as operands: layers that differ only in constants stay one
    kernel, and no code carries tables.

      %c = arith.constant dense<[1.0, 2.0]>   ==>   graph.weights @constant_0 … from dense<…>
                                                   %c = graph.weight @constant_0
  }];
  let dependentDialects = ["tessera::graph::GraphDialect"];
}

def MergeContractions : Pass<"graph-merge-contractions", "mlir::ModuleOp"> {
  let summary = "Make contractions of one operand with several weights one";
  let description = [{
    Query, key and value projections read the same rows. One product reads them
    once, starts its tasks once, and has longer rows of columns to share out:

      %q = linalg.matmul %x, %wq                %y = linalg.matmul %x, %w
      %a = arith.addf %q, (bias of q)    ==>    %z = arith.addf %y, (biases)
      %k = linalg.matmul %x, %wk                %a = tensor.extract_slice %z[0, 0] …
      %b = arith.addf %k, (bias of k)           %b = tensor.extract_slice %z[0, 768] …

    The weight is a `#graph.concat` of the columns (rows of the transposes), a bias one
    of the biases; where some add none, -0.0 is added. Expects weights that only
    products read, and biases that are weights or splats.

    Contractions that another one stands between, as those of each layer's keys of
    one encoder, stay apart: their results would all be stored at once. Only results
    that others read through index maps are merged, since a slice is
    none to them: by attention, joins and split or transposed views. What reads a
    result as it is (an epilogue, as of a gated layer, a product, an output of the
    entry) would need it stored by itself.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect"];
}

def PropagateTransposes : Pass<"graph-propagate-transposes", "mlir::func::FuncOp"> {
  let summary = "Move transposes of computed values until they cancel";
  let description = [{
    Convolution is channels-last, models are not: the importer's transposes move
    through elementwise operations, reductions and removed 1s, so that a chain of
    layers keeps one layout. One that only moves dimensions of size 1 is a reshape.
    Below reshapes, joins, slices and padding, too, where these keep or merge
    neighbouring dimensions.

      %t = linalg.transpose %conv [0, 3, 1, 2]      %b = broadcast_to (transpose of %bias)
      %s = arith.addf %t, %bias                ==>  %s = arith.addf %conv, %b
                                                    %t = linalg.transpose %s [0, 3, 1, 2]
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect"];
}

def FoldWeightViews : Pass<"graph-fold-weight-views", "mlir::ModuleOp"> {
  let summary = "Turn transposes and reshapes of weights into recipe steps";
  let description = [{
    A view of a weight is the same bytes with another recipe:

      %w = graph.weight @w
      %t = linalg.transpose %w [1, 0]   ==>   %t = graph.weight @w_0
                                              (recipe [… #graph.transpose<[1, 0]>])
  }];
  let dependentDialects = ["tessera::graph::GraphDialect"];
}

def FoldConstants : Pass<"graph-fold-constants", "mlir::ModuleOp"> {
  let summary = "Compute elementwise operations on small constants and weights";
  let description = [{
    What a model computes from its weights alone, vectors of channels mostly, is
    computed here, up to 64 Ki elements a tensor; weights in files are read, with
    their recipes.

      %w = graph.weight @variance
      %e = arith.addf %w, %epsilon   ==>   %f = arith.constant dense<[0.7, …]>
      %f = math.rsqrt %e
  }];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}

def SinkArithmeticBelowGathers
    : Pass<"graph-sink-arithmetic-below-gathers", "mlir::ModuleOp"> {
  let summary = "Gather rows of narrow tables and compute with these";
  let description = [{
    A dequantized table that only gathers read would be stored, or widened in every
    run, at four times its bytes. A few rows of it are read:

      %t = arith.sitofp %table                %r = graph.gather %table[%ids]
      %s = arith.mulf %t, %scales       ==>   %q = graph.gather (row scales)[%ids]
      %g = graph.gather %s[%ids]              %g = arith.mulf (sitofp %r), %q

    Where a product, or anything else, reads the table too, it is stored widened
    (`graph-fold-weight-arithmetic`), and gathers read that. So it is where the result
    is no larger than what it is computed from. Gathers of rows (axis 0) only, at
    indices that are not constant.
  }];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "tessera::graph::GraphDialect"];
}

def ReduceNarrowRows : Pass<"graph-reduce-narrow-rows", "mlir::ModuleOp"> {
  let summary = "Multiply one row by dequantized weights in a reduction of their rows";
  let description = [{
    One row times weights reads each of them once, at the speed of memory: dequantized
    ones would be read, and stored, at four times their bytes or more.

      %w = arith.mulf %numbers, %scales : tensor<NxK>
      %t = linalg.transpose %w                ==>  %p = arith.mulf (broadcast %x), %w
      %y = linalg.matmul %x, %t : tensor<1xN>      %y = linalg.reduce %p along K

    Rows of the result are then one kernel that reads the narrow weights; where there
    are more rows, or their number is not known, products are faster and widened weights
    are stored (`graph-fold-weight-arithmetic`). Expects weights of less than a third of
    the bytes, rows of which follow each other in their file, as MatMulNBits has them,
    and no other readers.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect"];
}

def FoldWeightArithmetic : Pass<"graph-fold-weight-arithmetic", "mlir::ModuleOp"> {
  let summary = "Turn what is computed from weights alone into recipes";
  let description = [{
    Dequantized, converted, joined or reparametrised weights are computed once, when
    the artifact is written:

      %w = graph.weight @w : tensor<64x3xi8>
      %f = arith.sitofp %w               ==>   %p = graph.weight @computed : tensor<64x3xf32>
      %p = arith.mulf %f, %scales              (recipe [#graph.elementwise<"arith.sitofp" …>,
                                                        #graph.elementwise<"arith.mulf" … with …>])

    Elementwise operations, sums and extrema along dimensions, gathers at constant
    indices and joins; reshapes, transposes, slices and broadcasts between them. Values
    that follow from constants without weights are left to the run, which computes
    masks and ramps without reading. So is what takes more than 64 steps or would be
    more than 8 times as large as what it is made of, or what `graph-reduce-narrow-rows`
    has made a factor of sums. A missed remark names what else is computed from weights
    in every run.

    Weights that something else reads as they are stay beside what is computed from
    them.
  }];
  let dependentDialects = ["tessera::graph::GraphDialect"];
}

def FoldScalesIntoWeights : Pass<"graph-fold-scales-into-weights", "mlir::ModuleOp"> {
  let summary = "Multiply constant factors of columns into weights of contractions";
  let description = [{
    Batch normalization behind a convolution or a product is arithmetic with one
    constant for each column. Its factors become a step of the weight's recipe,
    what it adds is joined with the bias:

      %c = graph.conv %x, %w                 %c = graph.conv %x, %w_0
      %b = arith.addf %c, %bias              (recipe [… #graph.scale<3, [s…]>])
      %m = arith.mulf %b, %scale       ==>   %s = arith.addf %c, (bias * scale + shift)
      %s = arith.addf %m, %shift

    Expects the transposes and reshapes of weights in their recipes already, and
    f32 weights. Leaves alone what other operations read, too. Rounds differently
    in the last bits.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "tessera::graph::GraphDialect"];
}

def FoldPadsIntoConvolutions
    : Pass<"graph-fold-pads-into-convolutions", "mlir::func::FuncOp"> {
  let summary = "Make zero padding before a convolution its own";
  let description = [{
    Exporters write the padding of an even kernel as an operation before it:

      %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] (0.0)
      %c = graph.conv %p … pads [0, 0], [0, 0]   ==>   %c = graph.conv %x … pads [1, 1], [1, 1]

    Leaves padding of batch or channels and of unknown widths alone.
  }];
  let dependentDialects = ["tessera::graph::GraphDialect"];
}
