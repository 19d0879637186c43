// What a kernel.entry says of its inputs, outputs, sizes, values and weights.
#ifndef TESSERA_KERNEL_PORTS
#define TESSERA_KERNEL_PORTS

include "dialects/Kernel/IR/KernelBase.td"
include "mlir/IR/EnumAttr.td"

def Kernel_PortAttr : Kernel_Attr<"Port", "port"> {
  let summary = "An input or output of an entry: name, element type, sizes over the symbols";
  let description = [{
    `alias` is that of `TesseraPort` in `include/tessera/abi.h`, `node` the name of
    the node that makes an output.

    ```mlir
    #kernel.port<"x", f32, ()[s0] -> (s0, 768)>
    ```
  }];
  let parameters = (ins StringRefParameter<"name">:$name, "::mlir::Type":$elementType,
                        "::mlir::AffineMap":$dims, DefaultValuedParameter<"int64_t", "-1">:$alias,
                        OptionalParameter<"::mlir::StringAttr">:$node);
  let assemblyFormat = "`<` $name `,` $elementType `,` $dims (`,` `alias` $alias^)? (`node` $node^)? `>`";
}

def Kernel_NamedSizeAttr : Kernel_Attr<"NamedSize", "named_size"> {
  let summary = "A symbol of an entry: name and range";
  let description = [{ `#kernel.named_size<"seq", 0, 128, 512>`: least, typical, most. }];
  let parameters = (ins StringRefParameter<"name">:$name, "int64_t":$min, "int64_t":$typical,
                        "int64_t":$max);
  let assemblyFormat = "`<` $name `,` $min `,` $typical `,` $max `>`";
}

def Kernel_ComputedSizeKind : I32EnumAttr<"ComputedSizeKind", "How a size is computed of its operands", [
    I32EnumAttrCase<"Min", 0, "min">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Quotient", 2, "quotient">,
    I32EnumAttrCase<"SelectEqual", 3, "select_equal">,
    I32EnumAttrCase<"SelectLess", 4, "select_less">,
    I32EnumAttrCase<"Element", 5, "element">,
    I32EnumAttrCase<"ToFloat", 6, "to_float">,
    I32EnumAttrCase<"FloatAdd", 7, "float_add">,
    I32EnumAttrCase<"FloatSub", 8, "float_sub">,
    I32EnumAttrCase<"FloatMul", 9, "float_mul">,
    I32EnumAttrCase<"FloatDiv", 10, "float_div">,
    I32EnumAttrCase<"FloatFloor", 11, "float_floor">,
    I32EnumAttrCase<"FloatCeil", 12, "float_ceil">,
    I32EnumAttrCase<"FloatRound", 13, "float_round">,
    I32EnumAttrCase<"FloatSqrt", 14, "float_sqrt">,
    I32EnumAttrCase<"FloatLess", 15, "float_less">,
    I32EnumAttrCase<"ToInteger", 16, "to_integer">]> {
  let cppNamespace = "::tessera::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_ComputedSizeKindAttr : EnumAttr<Kernel_Dialect, Kernel_ComputedSizeKind, "computed_size_kind">;

def Kernel_ComputedSizeAttr : Kernel_Attr<"ComputedSize", "computed_size"> {
  let summary = "A size that is not affine in the symbols: a symbol of its own, computed before a run";
  let description = [{
    The operands, over the symbols and the computed sizes before, are two sizes of
    `min`, `max` and `quotient`; `a, b, c, d` of a `select_equal` (a == b ? c : d)
    and of a `select_less` (a < b ? c : d); of an `element` the number of an input
    of integers and the index in it (0 where it has no such element).

    A float on the way from sizes to a size is the bits of an f64. `to_float` and the
    operations `float_…` have the width, 32 or 64, that their result is rounded to as
    the last operand; but `float_less` (a < b ? 1 : 0) and `to_integer` (cut towards
    zero), which give integers.

    ```mlir
    #kernel.computed_size<select_equal, ()[s0, s1] -> (s0, 1, s1, s0)>
    #kernel.computed_size<to_float, ()[s0] -> (s0, 32)>
    ```
  }];
  let parameters = (ins EnumParameter<Kernel_ComputedSizeKind>:$kind, "::mlir::AffineMap":$operands,
                        OptionalParameter<"::mlir::StringAttr">:$node);
  let assemblyFormat = "`<` $kind `,` $operands (`,` `node` $node^)? `>`";
  let genVerifyDecl = 1;
}

def Kernel_ValueAttr : Kernel_Attr<"Value", "value"> {
  let summary = "An intermediate: bytes over the symbols, first and last use in kernel calls";
  let description = [{
    The runtime packs the values of an entry into one arena; two may share bytes
    when their life times do not overlap. `node` is the name of the node that makes
    it, for errors.

    ```mlir
    #kernel.value<()[s0] -> (s0 * 3072), 4, 6, node "dense">
    ```
  }];
  let parameters = (ins "::mlir::AffineMap":$bytes, "int64_t":$firstUse, "int64_t":$lastUse,
                        OptionalParameter<"::mlir::StringAttr">:$node);
  let assemblyFormat = "`<` $bytes `,` $firstUse `,` $lastUse (`,` `node` $node^)? `>`";
}

def Kernel_WeightPlaceAttr : Kernel_Attr<"WeightPlace", "weight_place"> {
  let summary = "Byte offset of a graph.weights in the artifact's weight bytes";
  let description = [{ `#kernel.weight_place<@w, 4096>`. }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$weights, "uint64_t":$offset);
  let assemblyFormat = "`<` $weights `,` $offset `>`";
}

#endif // TESSERA_KERNEL_PORTS
