#include "controller/store/reader_pool.h"

#include <utility>

#include "common/base/status.h"

namespace cordon::controller {

absl::StatusOr<std::unique_ptr<ReaderPool>> ReaderPool::Open(const std::filesystem::path& path,
                                                             int connections) {
  auto pool = std::make_unique<ReaderPool>();
  for (int i = 0; i < connections; ++i) {
    CORDON_ASSIGN_OR_RETURN(Database database, Database::OpenReadOnly(path));
    pool->free_.push_back(std::move(database));
  }
  return pool;
}

ReaderPool::Lease ReaderPool::Borrow() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&] { return !free_.empty(); });
  Database database = std::move(free_.back());
  free_.pop_back();
  return Lease(*this, std::move(database));
}

ReaderPool::Lease::~Lease() {
  {
    const std::lock_guard lock(pool_.mutex_);
    pool_.free_.push_back(std::move(database_));
  }
  pool_.returned_.notify_one();
}

}  // namespace cordon::controller
