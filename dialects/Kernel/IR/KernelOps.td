// The kernel dialect: fused groups, their schedules, and what generated code
// needs of the runtime. See dialects/Kernel/README.md.
#ifndef TESSERA_KERNEL_OPS
#define TESSERA_KERNEL_OPS

include "dialects/Kernel/IR/KernelBase.td"
include "dialects/Kernel/IR/KernelMachine.td"
include "dialects/Kernel/IR/KernelPorts.td"
include "dialects/Kernel/IR/KernelSchedules.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

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
    I32EnumAttrCase<"Weights", 2, "weights">, I32EnumAttrCase<"Value", 3, "value">]> {
  let cppNamespace = "::tessera::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_StorageKindAttr : EnumAttr<Kernel_Dialect, Kernel_StorageKind, "storage_kind">;

def Kernel_StorageOp : Kernel_Op<"storage", [Pure]> {
  let summary = "The memref of an input, output, value or of weights";
  let description = [{
    `position` is the number of the input, output or value, or the byte offset
    into the weights. The layout is dense row-major.

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
