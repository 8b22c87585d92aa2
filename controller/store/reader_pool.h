#pragma once

#include <absl/status/statusor.h>

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "common/sqlite/database.h"

namespace cordon::controller {

// Read-only connections that threads borrow. Thread-safe.
class ReaderPool {
 public:
  static absl::StatusOr<std::unique_ptr<ReaderPool>> Open(const std::filesystem::path& path, int connections);

  // A borrowed connection, for one thread; given back when it dies.
  class Lease {
   public:
    Lease(ReaderPool& pool, Database database) : pool_(pool), database_(std::move(database)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    Database& operator*() { return database_; }
    Database* operator->() { return &database_; }

   private:
    ReaderPool& pool_;
    Database database_;
  };

  // Waits until one is free. Keep it short, and never across a callback.
  Lease Borrow();

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Database> free_;
};

}  // namespace cordon::controller
