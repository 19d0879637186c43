// The kernel dialect: fused groups, their schedules, and what generated code
// needs of the runtime. See dialects/Kernel/README.md.
#ifndef TESSERA_KERNEL_OPS
#define TESSERA_KERNEL_OPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::tessera::kernel";
  let summary = "Fused kernels, their schedules and their storage";
  let description = [{
    The border between what is computed and how. In the kernel state a
    `kernel.func` is one fused group on tensors, run by `kernel.call`; in the
    buffer state `kernel.launch` runs it on storage that is planned, and the other
    operations are what generated code asks of the runtime. Schedules are
    attributes of a `kernel.func` which passes write and emitters read.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["mlir::LLVM::LLVMDialect"];
}

def Kernel_Context
    : Type<CPred<"::llvm::isa<::mlir::LLVM::LLVMPointerType>($_self)">, "context pointer">,
      BuildableType<"::mlir::LLVM::LLVMPointerType::get($_builder.getContext())">;

class Kernel_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kernel_Dialect, mnemonic, traits>;

class Kernel_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Kernel_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

def Kernel_ScheduleAttrInterface : AttrInterface<"ScheduleAttrInterface"> {
  let cppNamespace = "::tessera::kernel";
  let description = [{
    How a kernel is turned into code. Passes write schedules, emitters only read
    them. A `kernel.func` has a list of them; the first that its body fits counts.
  }];
  let methods = [
    InterfaceMethod<"The route for reports: builder, rows or generic.",
                    "::llvm::StringRef", "getRoute">];
}

class Kernel_Schedule<string name, string mnemonic>
    : Kernel_Attr<name, mnemonic, [DeclareAttrInterfaceMethods<Kernel_ScheduleAttrInterface>]>;

def Kernel_ContractionAttr : Kernel_Schedule<"Contraction", "contraction"> {
  let summary = "Register-tile kernel for a matrix product or convolution";
  let description = [{
    The register tile is `rows` x `vectors * lanes` accumulators, `lanes` f32
    elements a vector. A task covers `taskRows` rows (a multiple of `rows`) and
    `taskPanels` column panels of `vectors * lanes` columns. `depth` elements of
    the contracted dimension are summed before the result is written (0: all of
    them). `prefetchRows` is the distance, in steps of the contracted dimension,
    at which panels are prefetched (0: not).

    C1: rows, vectors, lanes, taskRows, taskPanels are positive and depth and
    prefetchRows not negative. C2: rows divides taskRows.

    ```mlir
    #kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 96,
                        taskPanels = 4, depth = 256, prefetchRows = 0>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$vectors, "int64_t":$lanes,
                        "int64_t":$taskRows, "int64_t":$taskPanels,
                        "int64_t":$depth, "int64_t":$prefetchRows);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Kernel_AttentionAttr : Kernel_Schedule<"Attention", "attention"> {
  let summary = "Tiled attention with a running softmax";
  let description = [{
    The rows of a key head are the queries of all query heads that read it. A task
    takes `queryBlock` of them against `keyBlock` keys at a time: scores and
    results are summed in register tiles of `rows` x `vectors * lanes`, `lanes` f32
    elements a vector, from keys and values copied to panels of `vectors * lanes`
    columns.

    Where a key head has at most `shortRows` rows (0: never), as when one token is
    decoded, keys and values are read in place, once, `shortKeyBlock` keys at a
    time: scores are dot products.

    C1: rows, vectors, lanes, queryBlock, keyBlock and shortKeyBlock are positive
    and shortRows not negative. C2: queryBlock is a multiple of rows. C3: keyBlock
    is a multiple of vectors * lanes, shortKeyBlock of lanes.

    ```mlir
    #kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 48,
                      keyBlock = 64, shortRows = 4, shortKeyBlock = 64>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$vectors, "int64_t":$lanes,
                        "int64_t":$queryBlock, "int64_t":$keyBlock,
                        "int64_t":$shortRows, "int64_t":$shortKeyBlock);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Kernel_RowsAttr : Kernel_Schedule<"Rows", "rows"> {
  let summary = "Row kernel: elementwise work and reductions over the same rows";
  let description = [{
    `lanes` elements a vector, `unroll` vectors (or reduction accumulators) in
    flight; a task covers about `taskElements` elements. Where the kernel's largest
    tensors take `streamBytes` together or more, outputs are written past the
    caches. Passes over a row prefetch the `prefetchRows`-th row after it. 0, which
    may be left out: never.

    C1: the first three are positive, the others not negative.

    ```mlir
    #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>
    #kernel.rows<lanes = 16, unroll = 4, taskElements = 4096, streamBytes = 25165824>
    ```
  }];
  let parameters = (ins "int64_t":$lanes, "int64_t":$unroll, "int64_t":$taskElements,
                        DefaultValuedParameter<"int64_t", "0">:$streamBytes,
                        DefaultValuedParameter<"int64_t", "0">:$prefetchRows);
  let builders = [AttrBuilder<(ins "int64_t":$lanes, "int64_t":$unroll,
                                   "int64_t":$taskElements), [{
    return $_get($_ctxt, lanes, unroll, taskElements, 0, 0);
  }]>];
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Kernel_WarpgroupContractionAttr
    : Kernel_Schedule<"WarpgroupContraction", "warpgroup_contraction"> {
  let summary = "Matrix product on a GPU's warpgroup matrix unit";
  let description = [{
    A thread block computes tiles of `rows` x `columns` elements of the output.
    Slices of `depth` elements of the contracted dimension pass through a ring of
    `stages` buffers in shared memory to `consumers` warpgroups, which own
    `rows / consumers` rows of the tile each, or with `pingPong` take whole tiles
    in turn: one multiplies while the other stores. Blocks that run together work
    on groups of `rasterRows` row tiles.

    C1: stages is at least 2, rasterRows at least 1, consumers 1 to 3. C2: rows is
    a positive multiple of 64 for each consumer that shares a tile. C3: columns is
    a multiple of 64 up to 256. C4: depth is a positive multiple of 64. C5:
    pingPong has 2 consumers.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "int64_t":$depth,
                        "int64_t":$stages, "int64_t":$consumers,
                        "int64_t":$rasterRows,
                        DefaultValuedParameter<"bool", "false">:$pingPong);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Warpgroups that share one tile.
    int64_t getSharers() const { return getPingPong() ? 1 : getConsumers(); }
  }];
}

def Kernel_GenericAttr : Kernel_Schedule<"Generic", "generic"> {
  let summary = "Loops from linalg: the fallback and the oracle";
  let description = [{
    `#kernel.generic`: One-Shot Bufferize and loops, for any body that needs no
    buffer beside its outputs.
  }];
  let assemblyFormat = "";
}

def Kernel_GuardedAttr : Kernel_Schedule<"Guarded", "guarded"> {
  let summary = "A schedule for some sizes of its kernel";
  let description = [{
    Of a kernel's schedules the first counts whose `condition` on the kernel's sizes
    holds in a run; one without a condition holds always. The symbols of the condition
    are the kernel's index arguments.

    C1: `condition` has no dimensions. C2: `schedule` is not guarded itself.

    ```mlir
    #long = affine_set<()[s0] : (s0 - 64 >= 0)> // by a name: MLIR's parser stops at ">="
    #kernel.guarded<#long, #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>>
    ```
  }];
  let parameters = (ins "::mlir::IntegerSetAttr":$condition,
                        "::tessera::kernel::ScheduleAttrInterface":$schedule);
  let assemblyFormat = "`<` $condition `,` $schedule `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def Kernel_FuncOp : Kernel_Op<"func", [
    AutomaticAllocationScope, FunctionOpInterface, IsolatedFromAbove, Symbol,
    SingleBlock]> {
  let summary = "A fused group of operations";
  let description = [{
    The arguments are, in this order: the inputs, the `outputs` outputs, and one
    `index` for each symbol of the sizes. `shapes` holds for each tensor argument
    a map from these index arguments to its sizes. `kernel.yield` gives what the
    outputs hold at the end.

    C1: there are at least `outputs` tensor arguments, before all index
    arguments, and at least one output. C2: `shapes` has one map for each tensor
    argument, with as many symbols as there are index arguments, no dimensions,
    and as many results as the tensor's rank; a static dimension is a constant.
    C3: the yield's operands have the outputs' types. C4: every schedule
    implements ScheduleAttrInterface. C5: the condition of a guarded schedule has as
    many symbols as there are index arguments, and the last schedule is not guarded.

    ```mlir
    #n = affine_map<()[s0] -> (s0)>
    kernel.func @exp(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
        attributes {outputs = 1 : i64, shapes = [#n, #n],
                    schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>]} {
      %y = math.exp %x : tensor<?xf32>
      kernel.yield %y : tensor<?xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       I64Attr:$outputs, ArrayAttr:$shapes,
                       DefaultValuedAttr<ArrayAttr, "{}">:$schedules,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::TypeRange":$inputs,
                                 "::mlir::TypeRange":$outputs, "::mlir::ArrayAttr":$shapes,
                                 "int64_t":$symbolCount)>];
  let extraClassDeclaration = [{
    int64_t getTensorCount() { return getShapes().size(); }
    int64_t getInputCount() { return getTensorCount() - getOutputs(); }
    int64_t getSymbolCount() { return getNumArguments() - getTensorCount(); }
    ::mlir::Block::BlockArgListType getInputArguments() {
      return getArguments().take_front(getInputCount());
    }
    ::mlir::Block::BlockArgListType getOutputArguments() {
      return getArguments().slice(getInputCount(), getOutputs());
    }
    ::mlir::Block::BlockArgListType getSymbolArguments() {
      return getArguments().drop_front(getTensorCount());
    }
    ::mlir::AffineMap getShape(int64_t tensor) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getShapes()[tensor]).getValue();
    }
    ::tessera::kernel::YieldOp getYield();
    /// The first schedule, or null.
    ::tessera::kernel::ScheduleAttrInterface getSchedule();

    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
}

def Kernel_YieldOp : Kernel_Op<"yield", [Pure, Terminator, ReturnLike, HasParent<"FuncOp">]> {
  let summary = "What the kernel's outputs hold at its end";
  let description = [{
    One operand for each output of the `kernel.func`, in order.

    ```mlir
    kernel.yield %y : tensor<?xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "attr-dict $values `:` type($values)";
}

def Kernel_CallOp : Kernel_Op<"call", [
    AttrSizedOperandSegments, Pure, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Run a kernel into destinations";
  let description = [{
    Destination style: `outs` are tensors whose bytes the results may take
    (`tensor.empty`), so that storage planning has one value for each result.

    C1: `callee` names a `kernel.func`. C2: the operands' and results' types are
    its argument and output types, `sizes` its index arguments.

    ```mlir
    %e = tensor.empty(%n) : tensor<?xf32>
    %y = kernel.call @exp ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) sizes(%n)
      -> tensor<?xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyRankedTensor>:$inputs,
                       Variadic<AnyRankedTensor>:$outputs, Variadic<Index>:$sizes);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $callee `ins` `(` ($inputs^ `:` type($inputs))? `)` `outs` `(` $outputs `:` type($outputs) `)`
    (`sizes` `(` $sizes^ `)`)? attr-dict `->` type($results)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutputsMutable(); }
  }];
}

def Kernel_LaunchOp : Kernel_Op<"launch", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Run a kernel on storage (buffer state)";
  let description = [{
    `arguments` are the memrefs of the kernel's inputs and outputs. A target
    replaces it together with the `kernel.func`.

    C1: `callee` names a `kernel.func`. C2: `arguments` and `sizes` have the
    shapes and element types of its arguments.

    ```mlir
    kernel.launch @exp of %ctx (%x, %y) sizes(%n) : memref<?xf32>, memref<?xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Kernel_Context:$run_context,
                       Variadic<AnyMemRef>:$arguments, Variadic<Index>:$sizes);
  let assemblyFormat = [{
    $callee `of` $run_context `(` $arguments `)` (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($arguments)
  }];
}

//===----------------------------------------------------------------------===//
// Generated code and its context (buffer state)
//===----------------------------------------------------------------------===//

def Kernel_ParallelForOp : Kernel_Op<"parallel_for", [
    AutomaticAllocationScope, RecursiveMemoryEffects]> {
  let summary = "Run the body for every task, on any threads and in any order";
  let description = [{
    The body's arguments are the task, below `count`, and the worker, below the
    context's maxWorkers. It may use any value from above. It becomes a function
    called through the context's parallelFor. `count` depends on sizes only, never
    on the number of threads, so that results have the same bits at any of them;
    scratch for one worker at a time is a `memref.alloca` in the body.

    C1: the body has two arguments of the type of `count`.

    ```mlir
    kernel.parallel_for (%task, %worker) in (%tasks) of %ctx {
      %row = arith.muli %task, %rowsPerTask : index
      kernel.end
    }
    ```
  }];
  let arguments = (ins AnySignlessIntegerOrIndex:$count, Kernel_Context:$run_context);
  let regions = (region MinSizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$count, "::mlir::Value":$runContext,
      "::llvm::function_ref<void(::mlir::OpBuilder &, ::mlir::Location, ::mlir::Value, ::mlir::Value)>":$body)>];
}

def Kernel_EndOp : Kernel_Op<"end", [Pure, Terminator, ReturnLike, ParentOneOf<["ParallelForOp"]>]> {
  let summary = "End of a task";
  let description = [{ The terminator of a `kernel.parallel_for`'s body. }];
  let assemblyFormat = "attr-dict";
}

def Kernel_SymbolOp : Kernel_Op<"symbol", [Pure]> {
  let summary = "The value of the entry's symbol `number`";
  let description = [{
    Symbols are numbered as in the `symbols` of the `kernel.entry`.

    ```mlir
    %n = kernel.symbol %ctx 0
    ```
  }];
  let arguments = (ins Kernel_Context:$run_context, I64Attr:$number);
  let results = (outs Index:$result);
  let assemblyFormat = "$run_context $number attr-dict";
}

def Kernel_StorageKind : I32EnumAttr<"StorageKind", "Where bytes are", [
    I32EnumAttrCase<"Input", 0, "input">, I32EnumAttrCase<"Output", 1, "output">,
    I32EnumAttrCase<"Weights", 2, "weights">, I32EnumAttrCase<"Value", 3, "value">,
    I32EnumAttrCase<"Tap", 4, "tap">]> {
  let cppNamespace = "::tessera::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_StorageKindAttr : EnumAttr<Kernel_Dialect, Kernel_StorageKind, "storage_kind">;

def Kernel_StorageOp : Kernel_Op<"storage", [Pure]> {
  let summary = "The memref of an input, output, value or of weights";
  let description = [{
    `position` is the number of the input, output, value or tap, or the byte
    offset into the weights. The layout is dense row-major.

    C1: `sizes` has one value for each dynamic size of the result, whose layout is
    the identity.

    ```mlir
    %x = kernel.storage %ctx input 0 sizes(%n) : memref<?x768xf32>
    %w = kernel.storage %ctx weights 4096 : memref<768x768xf32>
    %t = kernel.storage %ctx value 3 sizes(%n) : memref<?x768xf32>
    ```
  }];
  let arguments = (ins Kernel_Context:$run_context, Kernel_StorageKindAttr:$kind,
                       I64Attr:$position, Variadic<Index>:$sizes);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$run_context $kind $position (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

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
  let assemblyFormat = "`<` $name `,` $elementType `,` $dims (`,` `alias` $alias^)? (`,` `node` $node^)? `>`";
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

def Kernel_EntryOp : Kernel_Op<"entry", [Symbol]> {
  let summary = "An entry of the artifact: what the runtime must know to run a function";
  let description = [{
    The artifact's table (`include/tessera/abi.h`) is made from it.

    C1: the arrays hold #kernel.port, #kernel.port, #kernel.named_size,
    #kernel.computed_size and #kernel.value; every map has no dimensions and at
    most one symbol for each of `symbols`, then of `computed`. `function` takes the
    context pointer, as `checks` does, which has the asserts of `function`. C2:
    elements are of inputs.

    ```mlir
    kernel.entry @main_entry runs @main
      inputs [#kernel.port<"x", f32, ()[s0] -> (s0)>]
      outputs [#kernel.port<"y", f32, ()[s0] -> (s0)>]
      symbols [#kernel.named_size<"n", 0, 8, 64>]
      values [#kernel.value<()[s0] -> (s0 * 4), 0, 1>] weights [] bytes 0
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$function,
                       OptionalAttr<FlatSymbolRefAttr>:$checks, ArrayAttr:$inputs, ArrayAttr:$outputs, ArrayAttr:$symbols,
                       OptionalAttr<ArrayAttr>:$computed, ArrayAttr:$values, ArrayAttr:$weights, I64Attr:$weight_bytes);
  let assemblyFormat = [{
    $sym_name `runs` $function (`checks` $checks^)? `inputs` $inputs `outputs` $outputs `symbols` $symbols
    (`computed` $computed^)? `values` $values `weights` $weights `bytes` $weight_bytes attr-dict
  }];
  let hasVerifier = 1;
}

#endif // TESSERA_KERNEL_OPS
