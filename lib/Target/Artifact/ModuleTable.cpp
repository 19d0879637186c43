// The table that describes a compiled model to the runtime, as LLVM constants.
#include "lib/Target/Artifact/ModuleTable.h"

#include "dialects/Kernel/IR/Append.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"

using namespace mlir;
using llvm::Constant;

namespace tessera::artifact {

FailureOr<TesseraElementType> elementTypeOf(Type type) {
  enum Code : uint8_t { Int = 0, Uint = 1, Float = 2, Bfloat = 4, Bool = 6 };
  if (auto integer = dyn_cast<IntegerType>(type)) {
    uint8_t bits = integer.getWidth();
    if (bits == 1)
      return TesseraElementType{Bool, 8};
    return TesseraElementType{integer.isUnsigned() ? Uint : Int, bits};
  }
  if (type.isBF16())
    return TesseraElementType{Bfloat, 16};
  if (type.isF16() || type.isF32() || type.isF64())
    return TesseraElementType{
        Float, static_cast<uint8_t>(type.getIntOrFloatBitWidth())};
  // The numbers that DLPack 1.1 gives to narrow floats, in this order from 7.
  uint8_t code = llvm::TypeSwitch<Type, uint8_t>(type)
                     .Case<Float8E3M4Type>([](Type) { return 7; })
                     .Case<Float8E4M3Type>([](Type) { return 8; })
                     .Case<Float8E4M3B11FNUZType>([](Type) { return 9; })
                     .Case<Float8E4M3FNType>([](Type) { return 10; })
                     .Case<Float8E4M3FNUZType>([](Type) { return 11; })
                     .Case<Float8E5M2Type>([](Type) { return 12; })
                     .Case<Float8E5M2FNUZType>([](Type) { return 13; })
                     .Case<Float8E8M0FNUType>([](Type) { return 14; })
                     .Case<Float6E2M3FNType>([](Type) { return 15; })
                     .Case<Float6E3M2FNType>([](Type) { return 16; })
                     .Case<Float4E2M1FNType>([](Type) { return 17; })
                     .Default([](Type) { return 0; });
  if (code == 0)
    return failure();
  return TesseraElementType{code,
                            static_cast<uint8_t>(type.getIntOrFloatBitWidth())};
}

namespace {

/// Appends the postfix program of `expression` to `steps`.
void appendProgram(AffineExpr expression,
                   SmallVectorImpl<TesseraSizeStep> &steps) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression)) {
    steps.push_back({TESSERA_SIZE_CONSTANT, constant.getValue()});
    return;
  }
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression)) {
    steps.push_back({TESSERA_SIZE_SYMBOL, symbol.getPosition()});
    return;
  }
  auto binary = cast<AffineBinaryOpExpr>(expression);
  appendProgram(binary.getLHS(), steps);
  appendProgram(binary.getRHS(), steps);
  auto op = [&]() -> TesseraSizeOp {
    switch (expression.getKind()) {
    case AffineExprKind::Add:
      return TESSERA_SIZE_ADD;
    case AffineExprKind::Mul:
      return TESSERA_SIZE_MUL;
    case AffineExprKind::FloorDiv:
      return TESSERA_SIZE_FLOORDIV;
    case AffineExprKind::CeilDiv:
      return TESSERA_SIZE_CEILDIV;
    default:
      return TESSERA_SIZE_MOD;
    }
  };
  steps.push_back({op(), 0});
}

/// The step that joins a computed size's operands.
TesseraSizeOp stepOf(kernel::ComputedSizeKind kind) {
  using Kind = kernel::ComputedSizeKind;
  // Those of floats are in one order.
  if (kind >= Kind::ToFloat)
    return static_cast<TesseraSizeOp>(TESSERA_SIZE_TO_FLOAT +
                                      static_cast<int>(kind) -
                                      static_cast<int>(Kind::ToFloat));
  switch (kind) {
  case kernel::ComputedSizeKind::Min:
    return TESSERA_SIZE_MIN;
  case kernel::ComputedSizeKind::Max:
    return TESSERA_SIZE_MAX;
  case kernel::ComputedSizeKind::Quotient:
    return TESSERA_SIZE_FLOORDIV;
  case kernel::ComputedSizeKind::SelectEqual:
    return TESSERA_SIZE_SELECT_EQUAL;
  case kernel::ComputedSizeKind::SelectLess:
    return TESSERA_SIZE_SELECT_LESS;
  default:
    llvm_unreachable("an element is no operation on sizes");
  }
}

/// Builds constants with the layouts of abi.h.
class TableBuilder {
public:
  TableBuilder(const ModuleDescription &description, llvm::Module &code)
      : description(description), code(code), context(code.getContext()) {}

  LogicalResult emit(ArrayRef<kernel::EntryOp> entries) {
    SmallVector<Constant *> entryConstants, targets;
    for (kernel::EntryOp entry : entries) {
      Constant *constant = emitEntry(entry);
      if (!constant)
        return failure();
      entryConstants.push_back(constant);
    }
    for (const TargetDescription &target : description.targets)
      targets.push_back(structure<TesseraTarget>(
          {sizeOf<TesseraTarget>(), string(target.architecture),
           string(target.cpu), string(target.features),
           target.optionalFeatures.empty() ? null()
                                           : string(target.optionalFeatures)}));
    Constant *weights = structure<TesseraWeights>(
        {sizeOf<TesseraWeights>(), int32(description.weightPlace),
         int64(description.weightBytes), int64(description.weightHash)});
    Constant *table = structure<TesseraModule>(
        {sizeOf<TesseraModule>(), int32(TESSERA_ABI_VERSION),
         string(description.producer), int32(targets.size()),
         int32(entryConstants.size()), array<TesseraTarget>(targets),
         array<TesseraEntry>(entryConstants), weights,
         string(description.manifest), int32(description.alternates.size()),
         emitAlternates()});
    auto *global = new llvm::GlobalVariable(
        code, table->getType(), /*isConstant=*/true,
        llvm::GlobalValue::ExternalLinkage, table, description.symbol);
    if (description.symbol != TESSERA_MODULE_SYMBOL)
      global->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return success();
  }

private:
  /// The addresses of the tables in other objects.
  Constant *emitAlternates() {
    SmallVector<Constant *> tables;
    for (const std::string &symbol : description.alternates) {
      auto *table = new llvm::GlobalVariable(
          code, llvm::Type::getInt8Ty(context), /*isConstant=*/true,
          llvm::GlobalValue::ExternalLinkage, /*Initializer=*/nullptr, symbol);
      table->setVisibility(llvm::GlobalValue::HiddenVisibility);
      tables.push_back(table);
    }
    return array<const TesseraModule *>(tables);
  }

  Constant *int8(uint8_t value) { return integer(8, value); }
  Constant *int16(uint16_t value) { return integer(16, value); }
  Constant *int32(uint32_t value) { return integer(32, value); }
  Constant *int64(uint64_t value) { return integer(64, value); }
  Constant *integer(unsigned bits, uint64_t value) {
    return llvm::ConstantInt::get(llvm::IntegerType::get(context, bits), value);
  }
  template <typename T> Constant *sizeOf() { return int32(sizeof(T)); }

  /// A constant with the layout of the C struct `T`.
  template <typename T> Constant *structure(ArrayRef<Constant *> fields) {
    Constant *constant = llvm::ConstantStruct::getAnon(context, fields);
    assert(code.getDataLayout().getTypeAllocSize(constant->getType()) ==
               sizeof(T) &&
           "the fields are not those of the C struct");
    return constant;
  }

  /// The address of a private constant.
  Constant *place(Constant *value, const llvm::Twine &name) {
    auto *global = new llvm::GlobalVariable(
        code, value->getType(), /*isConstant=*/true,
        llvm::GlobalValue::PrivateLinkage, value, name);
    global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    return global;
  }

  Constant *null() {
    return llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0));
  }

  /// The address of the text, or null.
  Constant *name(StringAttr text) { return text ? string(text) : null(); }

  Constant *string(StringRef text) {
    return place(llvm::ConstantDataArray::getString(context, text), "text");
  }

  /// The address of the elements, which all have the layout of `T`.
  template <typename T> Constant *array(ArrayRef<Constant *> elements) {
    llvm::Type *type = elements.empty() ? llvm::Type::getInt64Ty(context)
                                        : elements.front()->getType();
    return place(llvm::ConstantArray::get(
                     llvm::ArrayType::get(type, elements.size()), elements),
                 "table");
  }

  Constant *emitSize(AffineExpr expression) {
    SmallVector<TesseraSizeStep> steps;
    appendProgram(expression, steps);
    return program(steps);
  }

  Constant *program(ArrayRef<TesseraSizeStep> steps) {
    SmallVector<Constant *> constants;
    for (TesseraSizeStep step : steps)
      constants.push_back(
          structure<TesseraSizeStep>({int64(step.op), int64(step.operand)}));
    return structure<TesseraSize>(
        {int64(steps.size()), array<TesseraSizeStep>(constants)});
  }

  /// Null after a diagnostic.
  Constant *emitPort(kernel::EntryOp entry, kernel::PortAttr port,
                     int64_t axis) {
    FailureOr<TesseraElementType> type = elementTypeOf(port.getElementType());
    if (failed(type)) {
      entry.emitOpError("expects a tensor of numbers, but port '")
          << port.getName() << "' has elements of " << port.getElementType();
      return nullptr;
    }
    SmallVector<Constant *> dims;
    for (AffineExpr dim : port.getDims().getResults())
      dims.push_back(emitSize(dim));
    Constant *typeConstant =
        structure<TesseraElementType>({int8(type->code), int8(type->bits)});
    return structure<TesseraPort>({sizeOf<TesseraPort>(), int32(TESSERA_TENSOR),
                                   string(port.getName()), typeConstant,
                                   int16(dims.size()), array<TesseraSize>(dims),
                                   int32(port.getAlias()), int32(axis),
                                   name(port.getNode())});
  }

  /// Null after a diagnostic.
  Constant *emitPorts(kernel::EntryOp entry, ArrayAttr ports) {
    SmallVector<Constant *> constants;
    auto axes =
        entry->getAttrOfType<DenseI64ArrayAttr>(kernel::kAppendAxesAttr);
    for (auto [number, port] :
         llvm::enumerate(ports.getAsRange<kernel::PortAttr>())) {
      size_t output =
          ports == entry.getOutputs() ? number : size_t(port.getAlias());
      bool known = port.getAlias() >= 0 && axes &&
                   output < static_cast<size_t>(axes.size());
      constants.push_back(emitPort(entry, port, known ? axes[output] : 0));
      if (!constants.back())
        return nullptr;
    }
    return array<TesseraPort>(constants);
  }

  /// Null after a diagnostic.
  Constant *emitValues(kernel::EntryOp entry) {
    SmallVector<Constant *> constants;
    for (auto value : entry.getValues().getAsRange<kernel::ValueAttr>()) {
      if (value.getBytes().getNumResults() != 1) {
        entry.emitOpError("expects one size for each value, but got ")
            << AffineMapAttr::get(value.getBytes());
        return nullptr;
      }
      constants.push_back(structure<TesseraValue>(
          {sizeOf<TesseraValue>(), emitSize(value.getBytes().getResult(0)),
           int64(value.getFirstUse()), int64(value.getLastUse()),
           name(value.getNode())}));
    }
    return array<TesseraValue>(constants);
  }

  Constant *emitSymbols(kernel::EntryOp entry) {
    SmallVector<Constant *> constants;
    for (auto symbol : entry.getSymbols().getAsRange<kernel::NamedSizeAttr>())
      constants.push_back(structure<TesseraSymbol>(
          {sizeOf<TesseraSymbol>(), string(symbol.getName()),
           int64(symbol.getMin()), int64(symbol.getTypical()),
           int64(symbol.getMax())}));
    return array<TesseraSymbol>(constants);
  }

  Constant *emitComputed(kernel::ComputedSizeAttr size) {
    ArrayRef<AffineExpr> operands = size.getOperands().getResults();
    auto isElement = size.getKind() == kernel::ComputedSizeKind::Element;
    int64_t input =
        isElement ? cast<AffineConstantExpr>(operands[0]).getValue() : -1;
    // The width of a float is the step's.
    int64_t width = 0;
    if (kernel::givesFloat(size.getKind())) {
      width = cast<AffineConstantExpr>(operands.back()).getValue();
      operands = operands.drop_back();
    }
    SmallVector<TesseraSizeStep> steps;
    for (AffineExpr operand : operands.drop_front(isElement ? 1 : 0))
      appendProgram(operand, steps);
    if (!isElement)
      steps.push_back({stepOf(size.getKind()), width});
    return structure<TesseraComputedSize>({sizeOf<TesseraComputedSize>(),
                                           int32(static_cast<int32_t>(input)),
                                           program(steps),
                                           name(size.getNode())});
  }

  Constant *emitComputedSizes(kernel::EntryOp entry) {
    SmallVector<Constant *> constants;
    if (entry.getComputed())
      for (auto size :
           entry.getComputed()->getAsRange<kernel::ComputedSizeAttr>())
        constants.push_back(emitComputed(size));
    return array<TesseraComputedSize>(constants);
  }

  /// Null after a diagnostic.
  Constant *functionOf(kernel::EntryOp entry, FlatSymbolRefAttr name) {
    llvm::Function *function = code.getFunction(name.getValue());
    if (!function)
      entry.emitOpError("expects a compiled function, but got ") << name;
    return function;
  }

  /// Null after a diagnostic.
  Constant *emitEntry(kernel::EntryOp entry) {
    Constant *run = functionOf(entry, entry.getFunctionAttr());
    Constant *check = entry.getChecksAttr()
                          ? functionOf(entry, entry.getChecksAttr())
                          : null();
    if (!run || !check)
      return nullptr;
    Constant *inputs = emitPorts(entry, entry.getInputs());
    Constant *outputs = emitPorts(entry, entry.getOutputs());
    Constant *values = emitValues(entry);
    if (!inputs || !outputs || !values)
      return nullptr;
    return structure<TesseraEntry>(
        {sizeOf<TesseraEntry>(), int32(entry.getInputs().size()),
         int32(entry.getOutputs().size()), int32(entry.getSymbols().size()),
         int32(entry.getValues().size()), /*tapCount=*/int32(0),
         string(entry.getSymName()), inputs, outputs, emitSymbols(entry),
         values, /*taps=*/array<TesseraPort>({}), run,
         int64(entry.getComputed() ? entry.getComputed()->size() : 0),
         emitComputedSizes(entry), check});
  }

  const ModuleDescription &description;
  llvm::Module &code;
  llvm::LLVMContext &context;
};

} // namespace

LogicalResult emitModuleTable(ModuleOp source,
                              const ModuleDescription &description,
                              llvm::Module &code) {
  auto entries = llvm::to_vector(source.getOps<kernel::EntryOp>());
  if (entries.empty())
    return emitError(source.getLoc(), "expects at least one kernel.entry");
  return TableBuilder(description, code).emit(entries);
}

} // namespace tessera::artifact
