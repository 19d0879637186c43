// Memory blocks for arenas, outputs and copies, kept for the next run.
#ifndef TESSERA_RUNTIME_BLOCKPOOL_H
#define TESSERA_RUNTIME_BLOCKPOOL_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace tessera::runtime {

class BlockPool;

/// Owns one block of a pool and gives it back when destroyed; keeps the pool
/// alive, so that an output may outlive its session.
class Block {
public:
  Block() = default;
  Block(Block &&other) noexcept { swap(other); }
  Block &operator=(Block &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Block();

  /// 64-byte aligned; null if the block is empty or the system had no memory.
  char *data() const { return memory; }

private:
  friend class BlockPool;
  void swap(Block &other) noexcept;

  std::shared_ptr<BlockPool> pool;
  char *memory = nullptr;
  int64_t capacity = 0;
};

/// Fresh memory costs a page fault for every 4 KiB at its first use, which for
/// large outputs takes longer than computing them. So blocks are reused: the
/// pool keeps as many idle bytes as were ever in use at once, and drops the
/// oldest beyond. Thread-safe.
class BlockPool : public std::enable_shared_from_this<BlockPool> {
public:
  ~BlockPool();

  /// A block of at least `bytes` with undefined contents; of no bytes, still
  /// a valid address. `data()` is null when the system has no memory.
  Block take(int64_t bytes);

  /// Bytes of idle blocks, for tests.
  int64_t idleBytes();

private:
  friend class Block;
  struct Idle {
    char *memory;
    int64_t capacity;
  };

  void giveBack(char *memory, int64_t capacity);

  std::mutex mutex;
  std::vector<Idle> idle; // oldest first
  int64_t idleTotal = 0, inUse = 0, mostInUse = 0;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_BLOCKPOOL_H
