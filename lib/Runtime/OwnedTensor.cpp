#include "OwnedTensor.h"
#include "TensorLayout.h"

#include <memory>

namespace tessera::runtime {
namespace {

constexpr int32_t hostDevice = 1;  // kDLCPU
constexpr uint64_t paddedFlag = 4; // DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED

/// What a tensor's managerContext points to.
struct Owner {
  TesseraManagedTensor managed;
  std::vector<int64_t> shape, strides;
  std::shared_ptr<const Block> block;
};

void deleteOwner(TesseraManagedTensor *self) {
  delete static_cast<Owner *>(self->managerContext);
}

OwnedTensor makeTensor(TesseraElementType type,
                       const std::vector<int64_t> &shape,
                       std::shared_ptr<const Block> block) {
  Owner *owner = new Owner{{}, shape, denseStrides(shape), std::move(block)};
  TesseraManagedTensor &managed = owner->managed;
  managed.versionMajor = 1;
  managed.managerContext = owner;
  managed.flags = type.bits < 8 ? paddedFlag : 0;
  managed.deleter = deleteOwner;
  managed.tensor.data = owner->block->data();
  managed.tensor.deviceType = hostDevice;
  managed.tensor.rank = int32_t(shape.size());
  managed.tensor.type = type;
  managed.tensor.lanes = 1;
  managed.tensor.shape = owner->shape.data();
  managed.tensor.strides = owner->strides.data();
  return OwnedTensor(&managed);
}

void deleteLegacy(TesseraLegacyManagedTensor *self) {
  ReleaseTensor()(static_cast<TesseraManagedTensor *>(self->managerContext));
  delete self;
}

} // namespace

OwnedTensor OwnedTensor::create(TesseraElementType type,
                                const std::vector<int64_t> &shape,
                                Block block) {
  return makeTensor(type, shape,
                    std::make_shared<const Block>(std::move(block)));
}

OwnedTensor OwnedTensor::share(const TesseraManagedTensor &tensor) {
  if (tensor.deleter != deleteOwner)
    return nullptr;
  const Owner &owner = *static_cast<const Owner *>(tensor.managerContext);
  return makeTensor(tensor.tensor.type, owner.shape, owner.block);
}

TesseraLegacyManagedTensor *makeLegacy(TesseraManagedTensor *tensor) {
  if (!tensor)
    return nullptr;
  return new TesseraLegacyManagedTensor{tensor->tensor, tensor, deleteLegacy};
}

} // namespace tessera::runtime
