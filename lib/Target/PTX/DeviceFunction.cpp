// Parameters, attributes and launch data of device kernels.
#include "lib/Target/PTX/DeviceFunction.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace tessera::ptx {

static constexpr llvm::StringLiteral kSharedName = "shared_memory";
static constexpr int64_t kTensorMapBytes = 128;

DeviceFunction::DeviceFunction(OpBuilder &builder, kernel::FuncOp kernel,
                               const Options &options)
    : kernel(kernel), options(options) {
  LLVM::LLVMFuncOp function = create(builder);
  function->setAttr(kLaunchAttr, describe(builder).toAttribute(builder));
  block = function.addEntryBlock(builder);
}

KernelLaunch DeviceFunction::describe(OpBuilder &builder) {
  KernelLaunch launch;
  launch.threads = options.threads;
  launch.sharedBytes = options.sharedBytes;
  launch.output = options.output;
  launch.tileRows = options.tileRows;
  launch.tileColumns = options.tileColumns;
  launch.blocksPerProcessor = options.blocksPerProcessor
                                  ? options.blocksPerProcessor
                                  : options.launchBlocks;
  for (const TensorMap &map : options.tensorMaps)
    launch.addTensorMap(builder, map);
  for (int64_t number : options.pointers)
    launch.addPointer(builder, number);
  for (int64_t i = 0, e = kernel.getSymbolCount(); i < e; ++i)
    launch.addSymbol(builder, i);
  return launch;
}

LLVM::LLVMFuncOp DeviceFunction::create(OpBuilder &builder) {
  MLIRContext *context = builder.getContext();
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  auto unit = builder.getUnitAttr();
  auto generic = LLVM::LLVMPointerType::get(context);
  auto global = LLVM::LLVMPointerType::get(context, kGlobalSpace);
  for (size_t i = 0; i < options.tensorMaps.size(); ++i) {
    types.push_back(generic);
    // By value, in constant memory, where the copy engine reads it.
    attributes.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr(
             LLVM::LLVMDialect::getByValAttrName(),
             TypeAttr::get(LLVM::LLVMArrayType::get(builder.getI8Type(),
                                                    kTensorMapBytes))),
         builder.getNamedAttr(LLVM::LLVMDialect::getAlignAttrName(),
                              builder.getI64IntegerAttr(64)),
         builder.getNamedAttr(NVVM::NVVMDialect::getGridConstantAttrName(),
                              unit)}));
  }
  for (int64_t number : options.pointers) {
    types.push_back(global);
    SmallVector<NamedAttribute> named = {
        builder.getNamedAttr(LLVM::LLVMDialect::getNoAliasAttrName(), unit),
        builder.getNamedAttr(LLVM::LLVMDialect::getAlignAttrName(),
                             builder.getI64IntegerAttr(16))};
    if (number < kernel.getInputCount())
      named.push_back(builder.getNamedAttr(
          LLVM::LLVMDialect::getReadonlyAttrName(), unit));
    attributes.push_back(builder.getDictionaryAttr(named));
  }
  for (int64_t i = 0, e = kernel.getSymbolCount(); i < e; ++i) {
    types.push_back(builder.getI64Type());
    attributes.push_back(builder.getDictionaryAttr({}));
  }

  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                          types);
  auto function = LLVM::LLVMFuncOp::create(builder, kernel.getLoc(),
                                           kernel.getSymName(), type);
  function.setAllArgAttrs(attributes);
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), unit);
  function->setAttr(
      NVVM::NVVMDialect::getMaxntidAttrName(),
      builder.getDenseI32ArrayAttr({int32_t(options.threads)}));
  if (options.blocksPerProcessor)
    function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                      builder.getI32IntegerAttr(options.blocksPerProcessor));
  return function;
}

ValueRange DeviceFunction::symbols() {
  return ValueRange(block->getArguments())
      .drop_front(options.tensorMaps.size() + options.pointers.size());
}

void DeviceFunction::bindArguments(DeviceBuilder &b) {
  for (int64_t i = 0, e = kernel.getTensorCount(); i < e; ++i)
    byNumber.push_back({Value(), emitSizes(b, kernel, i, symbols())});
  for (auto [i, map] : llvm::enumerate(options.tensorMaps))
    maps[map.argument] = block->getArgument(i);
  for (auto [i, number] : llvm::enumerate(options.pointers)) {
    byNumber[number].pointer =
        block->getArgument(options.tensorMaps.size() + i);
    withPointer[kernel.getArgument(number)] = byNumber[number];
  }
}

Value DeviceFunction::sharedMemory(DeviceBuilder &b) {
  auto module = block->getParentOp()->getParentOfType<gpu::GPUModuleOp>();
  auto global = module.lookupSymbol<LLVM::GlobalOp>(kSharedName);
  if (!global) {
    // External and of no size: its size is given at launch.
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    global = LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(b.getI8Type(), 0), /*isConstant=*/false,
        LLVM::Linkage::External, kSharedName, Attribute(), /*alignment=*/1024,
        kSharedSpace);
  }
  return LLVM::AddressOfOp::create(b, global);
}

} // namespace tessera::ptx
