// Packs the intermediate values of one run into one block of memory.
#ifndef TESSERA_RUNTIME_STORAGEPLAN_H
#define TESSERA_RUNTIME_STORAGEPLAN_H

#include "Status.h"

#include <cstdint>
#include <vector>

namespace tessera::runtime {

/// Every value of the arena begins at a multiple of this.
constexpr int64_t storageAlignment = 64;

/// A buffer that is alive from step firstUse to step lastUse, both included.
struct StorageRequest {
  int64_t bytes;
  int64_t firstUse, lastUse;
};

/// Where each request lies. Requests whose life times overlap share no byte.
struct StoragePlan {
  std::vector<int64_t> offsets; /// [requests], multiples of storageAlignment
  int64_t bytes = 0;            /// size of the block
  int64_t lowerBound = 0;       /// most bytes alive at any one step
};

/// Places the requests greedily, each in the smallest gap between those already
/// placed that overlap it in time (best fit), in three orders: by size, by size
/// times life time, and by first use; the smallest plan is kept. Packing is
/// NP-hard (Gergov 1999 bounds it by 3 times lowerBound); on nets this is
/// mostly within a few per cent of it (Pisarchyk and Lee, 2020). Requests of
/// no bytes get offset 0. Fails when the sum of sizes does not fit 64 bits.
Result<StoragePlan> planStorage(const std::vector<StorageRequest> &requests);

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_STORAGEPLAN_H
