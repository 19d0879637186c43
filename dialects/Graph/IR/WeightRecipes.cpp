// What a weight's source and recipe make, and the verifiers of weights.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/TransposedPart.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

/// 'type', as diagnostics write it.
static std::string quoted(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << '\'' << type << '\'';
  return text;
}

FailureOr<RankedTensorType> graph::applyRecipe(RankedTensorType source,
                                               ArrayAttr recipe,
                                               std::string &reason) {
  for (Attribute attribute : recipe) {
    auto step = dyn_cast<RecipeStep>(attribute);
    if (!step) {
      reason = "it has an unknown step";
      return failure();
    }
    FailureOr<RankedTensorType> result = step.resultType(source, reason);
    if (failed(result))
      return failure();
    source = *result;
  }
  return source;
}

/// Whether the parts make `type`.
static LogicalResult verifyParts(ConcatAttr concat, RankedTensorType type,
                                 std::string &reason) {
  int64_t size = 0;
  for (PartAttr part : concat.getParts()) {
    FailureOr<RankedTensorType> made = typeOf(part, reason);
    if (failed(made))
      return failure();
    if (made->getRank() == 0 || made->getRank() != type.getRank() ||
        made->getElementType() != type.getElementType() ||
        made->getShape().drop_front() != type.getShape().drop_front()) {
      reason = "C2: expects parts of " + quoted(type) + ", but got " +
               quoted(*made);
      return failure();
    }
    size += made->getDimSize(0);
  }
  if (type.getRank() != 0 && size == type.getDimSize(0))
    return success();
  reason = "C2: expects parts of " + quoted(type) + ", but they have " +
           std::to_string(size) + " together";
  return failure();
}

/// Whether `source` has the elements of `type`.
static LogicalResult verifySource(Attribute source, RankedTensorType type,
                                  std::string &reason) {
  if (auto file = dyn_cast<FileAttr>(source)) {
    uint64_t bits = type.getElementTypeBitWidth();
    uint64_t bytes = type.getNumElements() * (bits == 1 ? 8 : bits) / 8;
    if (bytes == file.getBytes())
      return success();
    reason = "C2: expects " + std::to_string(bytes) + " bytes for " +
             quoted(type) + ", but got " + std::to_string(file.getBytes());
    return failure();
  }
  if (auto elements = dyn_cast<ElementsAttr>(source)) {
    if (elements.getType() == type)
      return success();
    reason = "C2: expects elements of " + quoted(type) + ", but got " +
             quoted(elements.getType());
    return failure();
  }
  if (auto concat = dyn_cast<ConcatAttr>(source))
    return verifyParts(concat, type, reason);
  reason = "C1: expects a file or elements as source";
  return failure();
}

FailureOr<RankedTensorType> graph::typeOf(PartAttr part, std::string &reason) {
  if (failed(verifySource(part.getSource(), part.getSourceType(), reason)))
    return failure();
  std::string stepReason;
  FailureOr<RankedTensorType> made =
      applyRecipe(part.getSourceType(), part.getRecipe(), stepReason);
  if (failed(made))
    reason = "C3: the recipe does not apply: " + stepReason;
  return made;
}

PartAttr graph::withSteps(PartAttr part, ArrayRef<Attribute> steps) {
  SmallVector<Attribute> recipe(part.getRecipe().getValue());
  llvm::append_range(recipe, steps);
  return PartAttr::get(part.getContext(), part.getSource(),
                       part.getSourceType(),
                       ArrayAttr::get(part.getContext(), recipe));
}

PartAttr graph::transposed(PartAttr part) {
  MLIRContext *context = part.getContext();
  auto step = TransposeAttr::get(context, {1, 0});
  ArrayRef<Attribute> recipe = part.getRecipe().getValue();
  if (recipe.empty() || recipe.back() != step)
    return withSteps(part, step);
  return PartAttr::get(context, part.getSource(), part.getSourceType(),
                       ArrayAttr::get(context, recipe.drop_back()));
}

PartAttr WeightsOp::getPart() {
  return PartAttr::get(getContext(), getSource(),
                       cast<RankedTensorType>(getSourceType()), getRecipe());
}

SymbolTable::Visibility WeightsOp::getVisibility() {
  return SymbolTable::Visibility::Private;
}

LogicalResult WeightsOp::verify() {
  std::string reason;
  FailureOr<RankedTensorType> made = typeOf(getPart(), reason);
  if (failed(made))
    return emitOpError(reason);
  if (*made != getType())
    return emitOpError("C3: the recipe gives ")
           << *made << ", but the type is " << getType();
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto weights =
      tables.lookupNearestSymbolFrom<WeightsOp>(*this, getWeightsAttr());
  if (!weights)
    return emitOpError("C1: expects a graph.weights, but got ")
           << getWeightsAttr();
  if (weights.getType() != getResult().getType())
    return emitOpError("C1: expects the type of its weights, ")
           << weights.getType() << ", but got " << getResult().getType();
  return success();
}
