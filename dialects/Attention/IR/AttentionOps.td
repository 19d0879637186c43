// The attention dialect: attention as one operation, from import to the kernel.
// See dialects/Attention/README.md.
#ifndef TESSERA_ATTENTION_OPS
#define TESSERA_ATTENTION_OPS

include "dialects/Interfaces/DimensionSource.td"
include "mlir/Dialect/Linalg/IR/LinalgInterfaces.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Attention_Dialect : Dialect {
  let name = "attention";
  let cppNamespace = "::tessera::attention";
  let summary = "Attention as one operation on tensors";
  let description = [{
    Attention stays one operation from import to the kernel that computes it, so
    that no pass sees, and no kernel stores, the scores of all queries and keys.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::math::MathDialect", "mlir::tensor::TensorDialect"];
}

class Attention_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attention_Dialect, mnemonic, traits>;

def Attention_MaskedRows : I32EnumAttr<"MaskedRows", "What a query that sees no key gives", [
    I32EnumAttrCase<"Nan", 0, "nan">, I32EnumAttrCase<"Zero", 1, "zero">]> {
  let cppNamespace = "::tessera::attention";
  let genSpecializedAttr = 0;
}
def Attention_MaskedRowsAttr
    : EnumAttr<Attention_Dialect, Attention_MaskedRows, "masked_rows">;

def Attention_FloatTensor : RankedTensorOf<[F32, F16, BF16]>;

def Attention_SdpaOp : Attention_Op<"sdpa", [
    Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<DimensionSourceOpInterface>,
    AggregatedOpInterface]> {
  let summary = "Scaled dot product attention";
  let description = [{
    query [batch, queryHeads, queryLength, headDim], key [batch, keyHeads,
    keyLength, headDim], value [batch, keyHeads, keyLength, valueDim], result
    [batch, queryHeads, queryLength, valueDim]. Query head h reads key head
    h / (queryHeads / keyHeads). For batch b, head h, query i and key j, all in
    f32:

      s = scale * sum over d of query[b, h, i, d] * key[b, h', j, d]
      s = softcap * tanh(s / softcap)     with `softcap`
      s = score(s, b, h, i, j)            with a `score` region
      s = s + bias[b, h, i, j]            with `bias`
      s = -inf                            where a mask hides j from i
      p = softmax of s over j
      result[b, h, i, e] = sum over j of p * value[b, h', j, e]

    The order is that of ONNX Attention-23 and 24: the soft cap stands before the
    bias. Key j is seen by query i of batch b when all of these hold:

    - `mask`[b, h, i, j] is true;
    - j < `key_lengths`[b];
    - `causal`: j <= i + offset;
    - `window = [left, right]`: i + offset - left <= j <= i + offset + right; -1 is
      no limit;
    - the `mask` region gives true for (b, h, i, j).

    `offset` is the position of query 0 among the keys (the length of a cache),
    0 where it is absent; it may be negative.

    A query that sees no key, or whose every score is -inf, gives NaN
    (`masked_rows = nan`, a plain softmax of -inf; the default) or zeros
    (`masked_rows = zero`). With keyLength 0 there is no such row: every result is
    the empty sum 0. `log_sum_exp` [batch, queryHeads, queryLength] is
    log(sum over j of exp(s)) in f32, -inf for a row of -inf.

    A dimension of `bias` and `mask` whose type is 1 is broadcast; any other has
    the full size. The regions see f32 and index values from anywhere and yield
    f32 (`score`) and i1 (`mask`).

    C1: query, key, value and result have rank 4 and one element type. C2: batch
    sizes agree, key and value agree in heads and length, query and key in
    headDim. C3: queryHeads is a multiple of keyHeads. C4: the result is [batch,
    queryHeads, queryLength, valueDim]. C5: bias and mask have rank 4 with
    dimensions that are 1 or those of [batch, queryHeads, queryLength,
    keyLength]. C6: key_lengths is [batch]. C7: offset comes with causal or
    window. C8: window is two numbers of at least -1. C9: scale is finite, softcap
    finite and positive. C10: log_sum_exp is f32 [batch, queryHeads,
    queryLength]. C11: the score region takes (f32, index, index, index, index)
    and yields f32, the mask region takes four index and yields i1.

    ```mlir
    %o = attention.sdpa %q, %k, %v mask %m offset %past scale 0.125 causal
      masked_rows = zero
      : tensor<2x8x?x64xf32>, tensor<2x2x?x64xf32>, tensor<2x2x?x64xf32>
        mask tensor<2x1x1x?xi1> -> tensor<2x8x?x64xf32>
    ```
  }];
  let arguments = (ins Attention_FloatTensor:$query, Attention_FloatTensor:$key,
                       Attention_FloatTensor:$value,
                       Optional<RankedTensorOf<[F32, F16, BF16]>>:$bias,
                       Optional<RankedTensorOf<[I1]>>:$mask,
                       Optional<RankedTensorOf<[I32, I64]>>:$key_lengths,
                       Optional<Index>:$offset,
                       F32Attr:$scale, UnitAttr:$causal,
                       OptionalAttr<DenseI64ArrayAttr>:$window,
                       OptionalAttr<F32Attr>:$softcap,
                       DefaultValuedAttr<Attention_MaskedRowsAttr,
                                         "::tessera::attention::MaskedRows::Nan">:$masked_rows);
  let results = (outs Attention_FloatTensor:$result,
                      Optional<RankedTensorOf<[F32]>>:$log_sum_exp);
  let regions = (region AnyRegion:$score_region, AnyRegion:$mask_region);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`bias` $bias^)? (`mask` $mask^)?
    (`key_lengths` $key_lengths^)? (`offset` $offset^)? `scale` $scale
    (`causal` $causal^)? (`window` `=` $window^)? (`softcap` `=` $softcap^)?
    (`masked_rows` `=` $masked_rows^)?
    (`score` $score_region^)? (`visible` $mask_region^)? attr-dict
    `:` type($query) `,` type($key) `,` type($value) (`bias` type($bias)^)?
    (`mask` type($mask)^)? (`key_lengths` type($key_lengths)^)?
    `->` type($result) (`,` type($log_sum_exp)^)?
  }];
  let builders = [
    /// Without regions, offset, soft cap, window or second result.
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$query,
                   "::mlir::Value":$key, "::mlir::Value":$value,
                   "::mlir::Value":$bias, "::mlir::Value":$mask, "float":$scale)>];
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getQueryType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getQuery().getType());
    }
    ::mlir::RankedTensorType getKeyType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getKey().getType());
    }
    ::mlir::RankedTensorType getValueType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getValue().getType());
    }
    ::mlir::RankedTensorType getResultType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getResult().getType());
    }
    /// The same results by linalg operations, for linalg::AggregatedOpInterface.
    ::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>
    decomposeOperation(::mlir::OpBuilder &builder);

    bool hasScoreRegion() { return !getScoreRegion().empty(); }
    bool hasMaskRegion() { return !getMaskRegion().empty(); }
  }];
  let hasVerifier = 1;
}

def Attention_YieldOp : Attention_Op<"yield", [
    Pure, Terminator, ParentOneOf<["SdpaOp"]>]> {
  let summary = "The value of a score or mask region";
  let description = [{
    ```mlir
    // ALiBi: a slope for each head times the distance of key and query.
    %o = attention.sdpa %q, %k, %v scale 0.125 score {
    ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
      %slope = tensor.extract %slopes[%h] : tensor<8xf32>
      %d = arith.subi %j, %i : index
      %n = arith.index_cast %d : index to i64
      %f = arith.sitofp %n : i64 to f32
      %t = arith.mulf %slope, %f : f32
      %r = arith.addf %s, %t : f32
      attention.yield %r : f32
    } : tensor<2x8x?x64xf32>, tensor<2x8x?x64xf32>, tensor<2x8x?x64xf32>
      -> tensor<2x8x?x64xf32>
    ```
  }];
  let arguments = (ins AnyTypeOf<[F32, I1]>:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif // TESSERA_ATTENTION_OPS
