// An entry around a single kernel, so that a test can run it on arrays.
#include "WrapKernel.h"

#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace tessera::test {
namespace {

class Wrapping {
public:
  explicit Wrapping(kernel::FuncOp kernel)
      : kernel(kernel), builder(kernel.getContext()), loc(kernel.getLoc()),
        symbolCount(kernel.getSymbolCount()) {
    builder.setInsertionPointAfter(kernel);
  }

  void run() {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    auto function = func::FuncOp::create(
        builder, loc, "run_" + kernel.getSymName().str(),
        builder.getFunctionType({pointer}, {}));
    describeInputs();
    emitBody(function);
    kernel::EntryOp::create(
        builder, loc, builder.getStringAttr("main"),
        FlatSymbolRefAttr::get(function), /*checks=*/FlatSymbolRefAttr(),
        builder.getArrayAttr(inputs), builder.getArrayAttr(outputs),
        builder.getArrayAttr(symbols), /*computed=*/ArrayAttr(),
        builder.getArrayAttr({}), builder.getArrayAttr({}),
        builder.getI64IntegerAttr(0));
  }

private:
  /// Ports of the inputs, whose dimensions the runtime accepts only as a
  /// constant or a symbol: an expression becomes a symbol of its own.
  void describeInputs() {
    llvm::SmallBitVector isBound(symbolCount);
    SmallVector<SmallVector<AffineExpr>> dims;
    int64_t freeSymbols = 0;
    for (int64_t i = 0, e = kernel.getInputCount(); i < e; ++i) {
      dims.emplace_back();
      for (AffineExpr size : kernel.getShape(i).getResults()) {
        if (auto symbol = dyn_cast<AffineSymbolExpr>(size))
          isBound.set(symbol.getPosition());
        else if (!isa<AffineConstantExpr>(size))
          size = builder.getAffineSymbolExpr(symbolCount + freeSymbols++);
        dims.back().push_back(size);
      }
    }
    allSymbols = symbolCount + freeSymbols;
    for (auto [i, sizes] : llvm::enumerate(dims))
      inputs.push_back(port("in" + std::to_string(i),
                            kernel.getArgumentTypes()[i], sizes));
    for (int64_t i = 0; i < symbolCount; ++i)
      if (!isBound.test(i))
        inputs.push_back(
            port("size" + std::to_string(i),
                 RankedTensorType::get({ShapedType::kDynamic},
                                       builder.getI8Type()),
                 {builder.getAffineSymbolExpr(i)}));
    for (int64_t i = 0; i < allSymbols; ++i)
      symbols.push_back(kernel::NamedSizeAttr::get(
          builder.getContext(), "s" + std::to_string(i), 0, 1,
          std::numeric_limits<int64_t>::max()));
    for (int64_t i = kernel.getInputCount(), e = kernel.getTensorCount(); i < e;
         ++i)
      outputs.push_back(
          port("out" + std::to_string(i - kernel.getInputCount()),
               kernel.getArgumentTypes()[i], kernel.getShape(i).getResults()));
  }

  Attribute port(const std::string &name, Type type,
                 ArrayRef<AffineExpr> dims) {
    return kernel::PortAttr::get(
        builder.getContext(), name, cast<ShapedType>(type).getElementType(),
        AffineMap::get(0, allSymbols, dims, builder.getContext()), -1,
        /*node=*/StringAttr());
  }

  void emitBody(func::FuncOp function) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(function.addEntryBlock());
    Value context = function.getArgument(0);
    SmallVector<Value> sizes, arguments;
    for (int64_t i = 0; i < symbolCount; ++i)
      sizes.push_back(kernel::SymbolOp::create(
          builder, loc, builder.getIndexType(), context, i));
    for (int64_t i = 0, e = kernel.getTensorCount(); i < e; ++i) {
      auto tensor = cast<RankedTensorType>(kernel.getArgumentTypes()[i]);
      SmallVector<Value> dynamic;
      for (auto [dim, size] : llvm::enumerate(kernel.getShape(i).getResults()))
        if (tensor.isDynamicDim(dim))
          dynamic.push_back(affine::AffineApplyOp::create(
              builder, loc,
              AffineMap::get(0, symbolCount, size, builder.getContext()),
              sizes));
      bool isInput = i < kernel.getInputCount();
      arguments.push_back(kernel::StorageOp::create(
          builder, loc,
          MemRefType::get(tensor.getShape(), tensor.getElementType()), context,
          isInput ? kernel::StorageKind::Input : kernel::StorageKind::Output,
          isInput ? i : i - kernel.getInputCount(), dynamic));
    }
    kernel::LaunchOp::create(builder, loc, kernel.getSymName(), context,
                             arguments, sizes);
    func::ReturnOp::create(builder, loc);
  }

  kernel::FuncOp kernel;
  OpBuilder builder;
  Location loc;
  int64_t symbolCount, allSymbols = 0;
  SmallVector<Attribute> inputs, outputs, symbols;
};

} // namespace

LogicalResult wrapKernel(ModuleOp module, StringRef name) {
  // The text may have named none of what the entry is made of.
  module.getContext()
      ->loadDialect<affine::AffineDialect, func::FuncDialect,
                    LLVM::LLVMDialect>();
  auto kernels = llvm::to_vector(module.getOps<kernel::FuncOp>());
  auto found = llvm::find_if(kernels, [&](kernel::FuncOp kernel) {
    return name.empty() ? kernels.size() == 1 : kernel.getSymName() == name;
  });
  if (found == kernels.end())
    return emitError(module.getLoc(),
                     "expects one kernel.func to wrap, or its name");
  module.getContext()
      ->loadDialect<affine::AffineDialect, func::FuncDialect,
                    LLVM::LLVMDialect>();
  for (auto function :
       llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    function.erase();
  for (kernel::FuncOp other : kernels)
    if (other != *found)
      other.erase();
  Wrapping(*found).run();
  return success();
}

} // namespace tessera::test
