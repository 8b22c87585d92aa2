#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/scan/baseline.h"
#include "common/sqlite/database.h"
#include "cordon/v1/baseline.pb.h"

namespace cordon::agent {

// Reads what a baseline has of the folders that a check comes to next, on a thread of its own, in the order
// of a walk that finds all as it is recorded. One thread takes.
class RecordsAhead {
 public:
  // `database`: a connection that nobody else uses. Where there can be no thread it knows nothing.
  RecordsAhead(Database database, std::string root);
  ~RecordsAhead();
  RecordsAhead(const RecordsAhead&) = delete;
  RecordsAhead& operator=(const RecordsAhead&) = delete;

  // What is recorded of the entries of a folder, in place of what `entries` had. To be asked in the order of
  // the walk. False: that is not known here, ask the baseline.
  bool Take(const std::string& folder, v1::BaselineFolder* entries);

 private:
  struct Loaded {
    std::string folder = {};
    v1::BaselineFolder entries = {};
    int count = 0;  // of its entries, when they were loaded
  };
  void Run();
  bool WaitForRoom();
  bool LoadUntilFull();
  bool Load(Loaded* next);  // the next one of to_load_
  bool Put(Loaded loaded);
  v1::BaselineFolder TakeSpare();
  void DropFront();  // under mutex_

  // The thread's own.
  Database database_;
  Baseline baseline_{database_};
  std::vector<std::string> to_load_;  // the next one last

  std::mutex mutex_;
  std::condition_variable came_;
  std::condition_variable room_;
  std::deque<Loaded> loaded_;
  int entries_ = 0;                        // in loaded_
  std::vector<v1::BaselineFolder> spare_;  // their memory is used again
  bool ended_ = false;                     // no more is loaded
  bool closed_ = false;                    // no more is wanted
  std::thread thread_;                     // last: uses all of the above
};

}  // namespace cordon::agent
