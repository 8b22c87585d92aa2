#include "tests/bench/practice_work.h"

#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "common/sqlite/database.h"

namespace cordon::testing {
namespace {

constexpr int kFiles = 400;
constexpr int kFilesPerStep = 5;
constexpr size_t kFileBytes = 8 * 1024;
constexpr int kRowsPerStep = 3;
constexpr std::chrono::milliseconds kPause(3);

absl::Status Book(Database& database, int64_t number) {
  const std::string note(200, 'n');
  CORDON_RETURN_IF_ERROR(database.Transaction([&]() -> absl::Status {
    for (int row = 0; row < kRowsPerStep; ++row) {
      CORDON_ASSIGN_OR_RETURN(Statement insert,
                              database.Prepare("INSERT INTO visits(animal, note) VALUES(?1, ?2)"));
      insert.Bind(1, number % 997).BindText(2, note);
      CORDON_RETURN_IF_ERROR(insert.Run());
    }
    return absl::OkStatus();
  }));
  CORDON_ASSIGN_OR_RETURN(Statement select,
                          database.Prepare("SELECT count(*), max(id) FROM visits WHERE animal = ?1"));
  select.Bind(1, number % 997);
  return select.Step().status();
}

}  // namespace

PracticeWork::PracticeWork(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  for (int file = 0; file < kFiles; ++file)
    std::ofstream(folder_ / std::to_string(file)) << std::string(kFileBytes, 'x');
}

std::vector<double> PracticeWork::For(std::chrono::seconds length) {
  auto database = Database::Open(folder_ / "practice.db", Database::Durability::kNormal);
  if (!database.ok()) throw std::runtime_error(database.status().ToString());
  absl::Status status = database->Execute(
      "CREATE TABLE IF NOT EXISTS visits(id INTEGER PRIMARY KEY, animal INTEGER, note TEXT);"
      "CREATE INDEX IF NOT EXISTS by_animal ON visits(animal)");
  std::minstd_rand random(1);
  std::vector<double> seconds;
  const auto end = std::chrono::steady_clock::now() + length;
  for (auto began = std::chrono::steady_clock::now(); status.ok() && began < end;
       began = std::chrono::steady_clock::now()) {
    status = Book(*database, static_cast<int64_t>(seconds.size()));
    for (int file = 0; file < kFilesPerStep; ++file) {
      std::ifstream in(folder_ / std::to_string(random() % kFiles));
      if (std::string(std::istreambuf_iterator<char>(in), {}).size() != kFileBytes)
        throw std::runtime_error("a file of the practice cannot be read");
    }
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    std::this_thread::sleep_for(kPause);
  }
  if (!status.ok()) throw std::runtime_error(status.ToString());
  return seconds;
}

}  // namespace cordon::testing
