// Tensors that the runtime allocates for the caller.
#ifndef TESSERA_RUNTIME_OWNEDTENSOR_H
#define TESSERA_RUNTIME_OWNEDTENSOR_H

#include "BlockPool.h"
#include "tessera/runtime.h"

#include <memory>
#include <vector>

namespace tessera::runtime {

struct ReleaseTensor {
  void operator()(TesseraManagedTensor *tensor) const {
    if (tensor->deleter)
      tensor->deleter(tensor);
  }
};

/// A managed tensor that is released unless handed out by release().
class OwnedTensor
    : public std::unique_ptr<TesseraManagedTensor, ReleaseTensor> {
public:
  using unique_ptr::unique_ptr;

  /// A dense host tensor in `block`, with sizes and strides of its own.
  static OwnedTensor create(TesseraElementType type,
                            const std::vector<int64_t> &shape, Block block);

  /// Another tensor on the memory of `tensor`, which lives as long as either.
  /// Null if create() did not make `tensor`.
  static OwnedTensor share(const TesseraManagedTensor &tensor);
};

/// See tessera_tensor_to_legacy.
TesseraLegacyManagedTensor *makeLegacy(TesseraManagedTensor *tensor);

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_OWNEDTENSOR_H
