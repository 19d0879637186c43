// Masked stores of narrow integers; see the header.
#include "lib/Target/CPU/Code/MaskedStores.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MathExtras.h"

#include <optional>

/// The lanes that `mask` lets through, if they are known.
static std::optional<llvm::SmallVector<int>> lanesOf(llvm::Value *mask) {
  auto *constant = llvm::dyn_cast<llvm::Constant>(mask);
  auto *type = llvm::dyn_cast<llvm::FixedVectorType>(mask->getType());
  if (!constant || !type)
    return std::nullopt;
  llvm::SmallVector<int> lanes;
  for (unsigned lane = 0; lane < type->getNumElements(); ++lane) {
    auto *bit = llvm::dyn_cast_or_null<llvm::ConstantInt>(
        constant->getAggregateElement(lane));
    if (!bit)
      return std::nullopt;
    if (bit->isOne())
      lanes.push_back(lane);
  }
  return lanes;
}

/// Stores `lanes`, neighbours, in pieces of powers of two.
static void storeRun(llvm::IRBuilder<> &builder, llvm::CallInst *store,
                     llvm::ArrayRef<int> lanes) {
  llvm::Value *vector = store->getArgOperand(0);
  llvm::Value *memory = store->getArgOperand(1);
  llvm::Type *element = vector->getType()->getScalarType();
  llvm::Align align(element->getIntegerBitWidth() / 8);
  align = std::min(align, store->getParamAlign(1).valueOrOne());
  while (!lanes.empty()) {
    size_t size = llvm::bit_floor(lanes.size());
    llvm::Value *place =
        builder.CreateConstInBoundsGEP1_64(element, memory, lanes.front());
    llvm::Value *piece =
        size == 1 ? builder.CreateExtractElement(vector, lanes.front())
                  : builder.CreateShuffleVector(vector, lanes.take_front(size));
    builder.CreateAlignedStore(piece, place, align);
    lanes = lanes.drop_front(size);
  }
}

void tessera::cpu::splitNarrowMaskedStores(llvm::Module &code) {
  llvm::SmallVector<llvm::CallInst *> stores;
  for (llvm::Function &function : code)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block) {
        auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
        if (!call || call->getIntrinsicID() != llvm::Intrinsic::masked_store)
          continue;
        llvm::Type *element = call->getArgOperand(0)->getType()->getScalarType();
        if (element->isIntegerTy(8) || element->isIntegerTy(16))
          stores.push_back(call);
      }
  for (llvm::CallInst *store : stores) {
    std::optional<llvm::SmallVector<int>> lanes =
        lanesOf(store->getArgOperand(2));
    if (!lanes)
      continue;
    llvm::IRBuilder<> builder(store);
    for (llvm::ArrayRef<int> rest = *lanes; !rest.empty();) {
      size_t length = 1;
      while (length < rest.size() &&
             rest[length] == rest[0] + static_cast<int>(length))
        ++length;
      storeRun(builder, store, rest.take_front(length));
      rest = rest.drop_front(length);
    }
    store->eraseFromParent();
  }
}
