// Schedules: how a kernel is turned into code.
#ifndef TESSERA_KERNEL_SCHEDULES
#define TESSERA_KERNEL_SCHEDULES

include "dialects/Kernel/IR/KernelBase.td"
include "mlir/IR/EnumAttr.td"

def Kernel_Unit : I32EnumAttr<"Unit", "What a system may refuse to give", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"MatrixTiles", 1, "matrix_tiles">]> {
  let cppNamespace = "::tessera::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_UnitParameter : EnumParameter<Kernel_Unit> {
  let defaultValue = "::tessera::kernel::Unit::None";
}

def Kernel_ScheduleAttrInterface : AttrInterface<"ScheduleAttrInterface"> {
  let cppNamespace = "::tessera::kernel";
  let description = [{
    How a kernel is turned into code. Passes write schedules, emitters only read
    them. A `kernel.func` has a list of them; the first that its body fits counts.
  }];
  let methods = [
    InterfaceMethod<"The route for reports: builder, rows or generic.",
                    "::llvm::StringRef", "getRoute">,
    InterfaceMethod<"The unit that code by it uses, without which it cannot run.",
                    "::tessera::kernel::Unit", "getUnit", (ins), "",
                    "return ::tessera::kernel::Unit::None;">];
}

class Kernel_Schedule<string name, string mnemonic, list<string> methods = []>
    : Kernel_Attr<name, mnemonic,
                  [DeclareAttrInterfaceMethods<Kernel_ScheduleAttrInterface, methods>]>;

def Kernel_MultiplyAccumulate : I32EnumAttr<"MultiplyAccumulate", "How products are accumulated", [
    I32EnumAttrCase<"F32", 0, "f32">,
    I32EnumAttrCase<"Bf16Pairs", 1, "bf16_pairs">,
    I32EnumAttrCase<"U8S8Quads", 2, "u8s8_quads">,
    I32EnumAttrCase<"BytesInF32", 3, "bytes_in_f32">,
    I32EnumAttrCase<"Bf16Tiles", 4, "bf16_tiles">,
    I32EnumAttrCase<"U8S8Tiles", 5, "u8s8_tiles">]> {
  let cppNamespace = "::tessera::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_MultiplyAccumulateParameter : EnumParameter<Kernel_MultiplyAccumulate> {
  let defaultValue = "::tessera::kernel::MultiplyAccumulate::F32";
}

def Kernel_ContractionAttr : Kernel_Schedule<"Contraction", "contraction", ["getUnit"]> {
  let summary = "Register-tile kernel for a matrix product or convolution";
  let description = [{
    The register tile is `rows` x `vectors * lanes` accumulators, `lanes` of 32
    bits a vector. A task covers `taskRows` rows (a multiple of `rows`) and
    `taskPanels` column panels of `vectors * lanes` columns. `prefetchRows` is the
    distance, in steps of the contracted dimension, at which panels are prefetched
    (0: not). `accumulate` names the multiply-accumulate, which says how many
    elements of the contracted dimension a step takes: `f32` and `bytes_in_f32` one,
    `bf16_pairs` two, `u8s8_quads` four. `bf16_tiles` (32) and `u8s8_tiles` (64) are those of the tile
    unit, whose tile is 16 x 16 sums: a block is two by two of them, and a
    prefetchRows that is not 0 brings the next panel to the L2 cache.

    C1: rows, vectors, lanes, taskRows, taskPanels are positive and prefetchRows
    not negative. C2: rows divides taskRows. C3: of tiles rows is 32, vectors 2 and
    lanes 16.

    ```mlir
    #kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 96,
                        taskPanels = 4, prefetchRows = 0, accumulate = u8s8_quads>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$vectors, "int64_t":$lanes,
                        "int64_t":$taskRows, "int64_t":$taskPanels,
                        "int64_t":$prefetchRows,
                        Kernel_MultiplyAccumulateParameter:$accumulate);
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
  let summary = "A schedule for some sizes of its kernel, or for machines with a unit";
  let description = [{
    Of a kernel's schedules the first counts whose guard holds in a run; one without
    a guard holds always. A guard is a `condition` on the kernel's sizes, whose symbols
    are the kernel's index arguments, a `unit` that the system gave, or both.

    C1: `condition` has no dimensions. C2: `schedule` is not guarded itself. C3: there
    is a condition or a unit.

    ```mlir
    #long = affine_set<()[s0] : (s0 - 64 >= 0)> // by a name: MLIR's parser stops at ">="
    #kernel.guarded<#long, #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>>
    #kernel.guarded<on matrix_tiles, #kernel.contraction<…>>
    ```
  }];
  let parameters = (ins OptionalParameter<"::mlir::IntegerSetAttr">:$condition,
                        Kernel_UnitParameter:$unit,
                        "::tessera::kernel::ScheduleAttrInterface":$schedule);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

#endif // TESSERA_KERNEL_SCHEDULES
