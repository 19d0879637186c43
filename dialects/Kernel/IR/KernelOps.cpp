// Builders, verifiers and assembly of the kernel dialect's operations.
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace tessera::kernel;

#define GET_OP_CLASSES
#include "dialects/Kernel/IR/KernelOps.cpp.inc"

//===----------------------------------------------------------------------===//
// kernel.func
//===----------------------------------------------------------------------===//

void FuncOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                   TypeRange inputs, TypeRange outputs, ArrayAttr shapes,
                   int64_t symbolCount) {
  SmallVector<Type> arguments(inputs);
  llvm::append_range(arguments, outputs);
  arguments.append(symbolCount, builder.getIndexType());
  state.addAttribute(getSymNameAttrName(state.name),
                     builder.getStringAttr(name));
  state.addAttribute(
      getFunctionTypeAttrName(state.name),
      TypeAttr::get(builder.getFunctionType(arguments, outputs)));
  state.addAttribute(getOutputsAttrName(state.name),
                     builder.getI64IntegerAttr(outputs.size()));
  state.addAttribute(getShapesAttrName(state.name), shapes);
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(state.addRegion());
  body->addArguments(arguments, SmallVector<Location>(arguments.size(),
                                                      state.location));
}

ParseResult FuncOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType = [](Builder &builder, ArrayRef<Type> arguments,
                      ArrayRef<Type> results,
                      function_interface_impl::VariadicFlag, std::string &) {
    return builder.getFunctionType(arguments, results);
  };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false,
      getFunctionTypeAttrName(result.name), buildType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void FuncOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

YieldOp FuncOp::getYield() {
  return cast<YieldOp>(getBody().front().getTerminator());
}

ScheduleAttrInterface FuncOp::getSchedule() {
  ArrayAttr schedules = getSchedules();
  return schedules.empty() ? ScheduleAttrInterface()
                           : cast<ScheduleAttrInterface>(schedules[0]);
}

LogicalResult FuncOp::verify() {
  int64_t tensors = 0;
  for (auto [i, type] : llvm::enumerate(getArgumentTypes())) {
    if (isa<RankedTensorType>(type) && static_cast<int64_t>(i) == tensors)
      ++tensors;
    else if (!type.isIndex())
      return emitOpError("C1: expects tensor arguments, then index arguments, "
                         "but got ")
             << type << " as argument " << i;
  }
  if (static_cast<int64_t>(getOutputs()) < 1 ||
      static_cast<int64_t>(getOutputs()) > tensors)
    return emitOpError("C1: expects 1 to ")
           << tensors << " outputs, but got " << getOutputs();
  if (static_cast<int64_t>(getShapes().size()) != tensors)
    return emitOpError("C2: expects one shape for each of ")
           << tensors << " tensors, but got " << getShapes().size();
  int64_t symbols = getNumArguments() - tensors;
  for (auto [i, attribute] : llvm::enumerate(getShapes())) {
    auto shape = dyn_cast<AffineMapAttr>(attribute);
    auto type = cast<RankedTensorType>(getArgumentTypes()[i]);
    if (!shape || shape.getValue().getNumDims() != 0 ||
        shape.getValue().getNumSymbols() != symbols ||
        shape.getValue().getNumResults() != type.getRank())
      return emitOpError("C2: expects shape ")
             << i << " to map " << symbols << " symbols to " << type.getRank()
             << " sizes, but got " << attribute;
    for (auto [size, expr] :
         llvm::zip(type.getShape(), shape.getValue().getResults())) {
      auto constant = dyn_cast<AffineConstantExpr>(expr);
      if (!ShapedType::isDynamic(size) &&
          (!constant || constant.getValue() != size))
        return emitOpError("C2: expects shape ")
               << i << " to agree with " << type << ", but got " << attribute;
    }
  }
  for (Attribute schedule : getSchedules()) {
    if (!isa<ScheduleAttrInterface>(schedule))
      return emitOpError("C4: expects schedules, but got ") << schedule;
    auto guarded = dyn_cast<GuardedAttr>(schedule);
    if (guarded && guarded.getCondition() &&
        guarded.getCondition().getValue().getNumSymbols() != symbols)
      return emitOpError("C5: expects a condition on ")
             << symbols << " sizes, but got " << guarded.getCondition();
  }
  if (!getSchedules().empty() && isa<GuardedAttr>(getSchedules().getValue().back()))
    return emitOpError("C5: expects a last schedule that is not guarded");
  return success();
}

LogicalResult FuncOp::verifyRegions() {
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield || yield.getValues().getTypes() !=
                    TypeRange(ValueRange(getOutputArguments())))
    return emitOpError("C3: expects to yield values of the outputs' types");
  return success();
}

//===----------------------------------------------------------------------===//
// kernel.call
//===----------------------------------------------------------------------===//

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto kernel = tables.lookupNearestSymbolFrom<FuncOp>(*this, getCalleeAttr());
  if (!kernel)
    return emitOpError("C1: expects a kernel.func, but got ")
           << getCalleeAttr();
  SmallVector<Type> types(getInputs().getTypes());
  llvm::append_range(types, getOutputs().getTypes());
  llvm::append_range(types, getSizes().getTypes());
  if (ArrayRef<Type>(types) != kernel.getArgumentTypes() ||
      getResultTypes() != getOutputs().getTypes())
    return emitOpError("C2: expects operands of ")
           << kernel.getFunctionType() << " and results like the outputs";
  return success();
}

//===----------------------------------------------------------------------===//
// kernel.launch
//===----------------------------------------------------------------------===//

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto kernel = tables.lookupNearestSymbolFrom<FuncOp>(*this, getCalleeAttr());
  if (!kernel)
    return emitOpError("C1: expects a kernel.func, but got ")
           << getCalleeAttr();
  if (static_cast<int64_t>(getArguments().size()) != kernel.getTensorCount() ||
      static_cast<int64_t>(getSizes().size()) != kernel.getSymbolCount())
    return emitOpError("C2: expects ")
           << kernel.getTensorCount() << " memrefs and "
           << kernel.getSymbolCount() << " sizes, but got "
           << getArguments().size() << " and " << getSizes().size();
  for (auto [i, memref] : llvm::enumerate(getArguments().getTypes())) {
    auto expected = cast<RankedTensorType>(kernel.getArgumentTypes()[i]);
    auto type = cast<MemRefType>(memref);
    if (type.getShape() != expected.getShape() ||
        type.getElementType() != expected.getElementType())
      return emitOpError("C2: expects a memref like ")
             << expected << " as argument " << i << ", but got " << type;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// kernel.parallel_for
//===----------------------------------------------------------------------===//

void ParallelForOp::build(
    OpBuilder &builder, OperationState &state, Value count, Value context,
    function_ref<void(OpBuilder &, Location, Value, Value)> body) {
  state.addOperands({count, context});
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(state.addRegion());
  block->addArguments({count.getType(), count.getType()},
                      {state.location, state.location});
  if (!body)
    return;
  body(builder, state.location, block->getArgument(0), block->getArgument(1));
  EndOp::create(builder, state.location);
}

/// kernel.parallel_for (%task, %worker) in (%count) of %context { ... }
ParseResult ParallelForOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::Argument task, worker;
  OpAsmParser::UnresolvedOperand count, context;
  Type type = parser.getBuilder().getIndexType();
  if (parser.parseLParen() || parser.parseArgument(task) ||
      parser.parseComma() || parser.parseArgument(worker) ||
      parser.parseRParen() || parser.parseKeyword("in") ||
      parser.parseLParen() || parser.parseOperand(count) ||
      parser.parseRParen() || parser.parseKeyword("of") ||
      parser.parseOperand(context) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  if (succeeded(parser.parseOptionalColon()) && parser.parseType(type))
    return failure();
  task.type = worker.type = type;
  Type pointer = LLVM::LLVMPointerType::get(parser.getContext());
  return failure(parser.resolveOperand(count, type, result.operands) ||
                 parser.resolveOperand(context, pointer, result.operands) ||
                 parser.parseRegion(*result.addRegion(), {task, worker}));
}

void ParallelForOp::print(OpAsmPrinter &printer) {
  Block &block = getBody().front();
  printer << " (" << block.getArgument(0) << ", " << block.getArgument(1)
          << ") in (" << getCount() << ") of " << getRunContext();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  if (!getCount().getType().isIndex())
    printer << " : " << getCount().getType();
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult ParallelForOp::verifyRegions() {
  Block &block = getBody().front();
  Type type = getCount().getType();
  if (block.getArgumentTypes() != TypeRange({type, type}))
    return emitOpError("C1: expects a body with two arguments of type ")
           << type;
  return success();
}

//===----------------------------------------------------------------------===//
// Storage and entries
//===----------------------------------------------------------------------===//

LogicalResult StorageOp::verify() {
  auto type = cast<MemRefType>(getResult().getType());
  bool isPort = getKind() == StorageKind::Input ||
                getKind() == StorageKind::Output;
  auto strided = dyn_cast<StridedLayoutAttr>(type.getLayout());
  if (!type.getLayout().isIdentity() &&
      (!isPort || !strided || strided.getOffset() != 0))
    return emitOpError("C2: expects the identity layout, or strides of an input "
                       "or output, but got ")
           << type;
  if (static_cast<size_t>(type.getNumDynamicDims()) != getSizes().size())
    return emitOpError("C1: expects ")
           << type.getNumDynamicDims() << " sizes, but got "
           << getSizes().size();
  return success();
}

LogicalResult EntryOp::verify() {
  ArrayRef<Attribute> computed =
      getComputed() ? getComputed()->getValue() : ArrayRef<Attribute>();
  unsigned symbols = getSymbols().size();
  auto check = [&](AffineMap map) -> LogicalResult {
    if (map.getNumDims() != 0 || map.getNumSymbols() > symbols)
      return emitOpError("C1: expects maps over ")
             << symbols << " symbols, but got " << AffineMapAttr::get(map);
    return success();
  };
  for (Attribute attribute : computed) {
    auto size = dyn_cast<ComputedSizeAttr>(attribute);
    if (!size)
      return emitOpError("C1: expects computed sizes, but got ") << attribute;
    if (failed(check(size.getOperands())))
      return failure();
    ++symbols;
    if (size.getKind() != ComputedSizeKind::Element)
      continue;
    int64_t input =
        cast<AffineConstantExpr>(size.getOperands().getResult(0)).getValue();
    if (input < 0 || input >= static_cast<int64_t>(getInputs().size()))
      return emitOpError("C2: expects elements of one of ")
             << getInputs().size() << " inputs, but got " << size;
  }
  for (ArrayAttr ports : {getInputs(), getOutputs()})
    for (Attribute attribute : ports) {
      auto port = dyn_cast<PortAttr>(attribute);
      if (!port)
        return emitOpError("C1: expects ports, but got ") << attribute;
      if (failed(check(port.getDims())))
        return failure();
    }
  for (Attribute attribute : getSymbols())
    if (!isa<NamedSizeAttr>(attribute))
      return emitOpError("C1: expects named sizes, but got ") << attribute;
  for (Attribute attribute : getValues()) {
    auto value = dyn_cast<ValueAttr>(attribute);
    if (!value)
      return emitOpError("C1: expects values, but got ") << attribute;
    if (failed(check(value.getBytes())))
      return failure();
  }
  for (Attribute attribute : getWeights())
    if (!isa<WeightPlaceAttr>(attribute))
      return emitOpError("C1: expects weight places, but got ") << attribute;
  return success();
}
