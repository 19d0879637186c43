// Operations of caches: outputs that extend an input in its place.
#ifndef TESSERA_KERNEL_APPEND_OPS
#define TESSERA_KERNEL_APPEND_OPS

include "dialects/Kernel/IR/KernelOps.td"

def Kernel_AppendOp : Kernel_Op<"append", [Pure, DestinationStyleOpInterface]> {
  let summary = "The past of a cache, followed by what is added to it";
  let description = [{
    Concatenates `past` and `added` along `dimension`. Both are computed in the
    storage of the result, an output of the entry, so that nothing is copied here.
    `past` is a copy of the entry's input `input`. Where the caller gives one
    memory for input and output, with room for what is added (a cache), the past is
    in its place and its kernel does not run.

    ```mlir
    %y = kernel.append %past, %new outs(%e : tensor<?x4xf32>) along 0 of input 1
        : tensor<?x4xf32>, tensor<1x4xf32> -> tensor<?x4xf32>
    ```

    C1: the operands and the result have the same rank and element type, and the
    same static sizes but along `dimension`.
  }];
  let arguments = (ins AnyRankedTensor:$past, AnyRankedTensor:$added, AnyRankedTensor:$output,
                       I64Attr:$dimension, I64Attr:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $past `,` $added `outs` `(` $output `:` type($output) `)` `along` $dimension
    `of` `input` $input attr-dict `:` type($past) `,` type($added) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutputMutable(); }
  }];
}

def Kernel_IsInPlaceOp : Kernel_Op<"is_in_place", [Pure]> {
  let summary = "Whether an input and an output begin at the same address";
  let description = [{
    True where the caller gave one memory for an input and the output that extends
    it: the copy of the input is then left out.

    ```mlir
    %same = kernel.is_in_place %ctx input 1 output 0
    ```
  }];
  let arguments = (ins Kernel_Context:$run_context, I64Attr:$input, I64Attr:$output);
  let results = (outs I1:$result);
  let assemblyFormat = "$run_context `input` $input `output` $output attr-dict";
}

#endif // TESSERA_KERNEL_APPEND_OPS
