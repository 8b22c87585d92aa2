#include "tests/support/fault_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace cordon::testing {
namespace {

constexpr size_t kSector = 512;

std::string Contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

struct Change {
  int64_t offset = 0;  // or the new size
  std::string bytes;
  bool truncates = false;

  void ApplyTo(std::string* image) const {
    if (truncates) {
      image->resize(std::min(image->size(), static_cast<size_t>(offset)));
      return;
    }
    const size_t end = static_cast<size_t>(offset) + bytes.size();
    if (image->size() < end) image->resize(end, '\0');
    image->replace(static_cast<size_t>(offset), bytes.size(), bytes);
  }
};

struct Image {
  std::string durable;
  std::vector<Change> unsynced;
};

}  // namespace

struct FaultDisk::State {
  std::string folder;
  mutable std::mutex mutex;
  std::mt19937 random;
  std::map<std::string, Image> images;
  int64_t calls = 0;
  int64_t power_off_at = 0;
  int64_t fail_from = 0;
  int64_t fail_to = 0;
  int64_t fail_every = 0;
  bool full = false;

  bool Off() const { return power_off_at != 0 && calls >= power_off_at; }

  // Counts a call; true when it must fail. With the mutex held.
  bool Fails() {
    ++calls;
    return Off() || (calls >= fail_from && calls < fail_to) || (fail_every != 0 && calls % fail_every == 0);
  }

  Image& ImageOf(const std::string& path) {
    const auto [at, fresh] = images.try_emplace(path);
    if (fresh && std::filesystem::exists(path)) at->second.durable = Contents(path);
    return at->second;
  }

  // What is left of a file: any of the writes that were not synced, each whole, in part or not at all.
  std::string AfterCut(const Image& image) {
    std::string left = image.durable;
    for (Change change : image.unsynced) {
      const uint32_t lot = random() % 8;
      if (lot < 4) continue;
      if (lot == 4 && !change.truncates)
        change.bytes.resize(random() % (change.bytes.size() / kSector + 1) * kSector);
      change.ApplyTo(&left);
    }
    return left;
  }
};

namespace {

using DiskState = FaultDisk::State;

// The disks there are. SQLite has one file system layer per process.
struct Disks {
  std::mutex mutex;
  std::vector<std::shared_ptr<DiskState>> all;

  std::shared_ptr<DiskState> Of(const char* path) {
    const std::lock_guard lock(mutex);
    for (const auto& disk : all) {
      if (path != nullptr && std::string_view(path).starts_with(disk->folder)) return disk;
    }
    return nullptr;
  }
};

Disks& TheDisks() {
  static Disks disks;
  return disks;
}

struct FaultFile {
  sqlite3_file base;
  std::shared_ptr<DiskState>* disk;
  std::string* path;
  sqlite3_file* real;  // behind this, in the same memory
};

FaultFile& Of(sqlite3_file* file) {
  return *reinterpret_cast<FaultFile*>(file);
}
sqlite3_file* Real(sqlite3_file* file) {
  return Of(file).real;
}
sqlite3_vfs* Base(sqlite3_vfs* vfs) {
  return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

int Close(sqlite3_file* file) {
  FaultFile& fault = Of(file);
  const int result = fault.real->pMethods != nullptr ? fault.real->pMethods->xClose(fault.real) : SQLITE_OK;
  delete fault.disk;
  delete fault.path;
  return result;
}

int Read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
  {
    DiskState& disk = **Of(file).disk;
    const std::lock_guard lock(disk.mutex);
    if (disk.Fails()) return SQLITE_IOERR_READ;
  }
  return Real(file)->pMethods->xRead(Real(file), bytes, count, offset);
}

int Write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  DiskState& disk = **Of(file).disk;
  const std::lock_guard lock(disk.mutex);
  if (disk.Fails()) return SQLITE_IOERR_WRITE;
  sqlite3_int64 size = 0;
  Real(file)->pMethods->xFileSize(Real(file), &size);
  if (disk.full && offset + count > size) return SQLITE_FULL;
  const int result = Real(file)->pMethods->xWrite(Real(file), bytes, count, offset);
  if (result == SQLITE_OK) {
    disk.ImageOf(*Of(file).path)
        .unsynced.push_back(
            {offset, std::string(static_cast<const char*>(bytes), static_cast<size_t>(count)), false});
  }
  return result;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  DiskState& disk = **Of(file).disk;
  const std::lock_guard lock(disk.mutex);
  if (disk.Fails()) return SQLITE_IOERR_TRUNCATE;
  const int result = Real(file)->pMethods->xTruncate(Real(file), size);
  if (result == SQLITE_OK) disk.ImageOf(*Of(file).path).unsynced.push_back({size, "", true});
  return result;
}

int Sync(sqlite3_file* file, int /*flags*/) {
  DiskState& disk = **Of(file).disk;
  const std::lock_guard lock(disk.mutex);
  if (disk.Fails()) return SQLITE_IOERR_FSYNC;
  Image& image = disk.ImageOf(*Of(file).path);
  for (const Change& change : image.unsynced) change.ApplyTo(&image.durable);
  image.unsynced.clear();
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Real(file)->pMethods->xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xLock(Real(file), level);
}
int Unlock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xUnlock(Real(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* result) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), result);
}
int FileControl(sqlite3_file* file, int what, void* argument) {
  return Real(file)->pMethods->xFileControl(Real(file), what, argument);
}
int SectorSize(sqlite3_file* file) {
  return Real(file)->pMethods->xSectorSize(Real(file));
}
int Characteristics(sqlite3_file* file) {
  return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
}
int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  return Real(file)->pMethods->xShmMap(Real(file), region, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Real(file)->pMethods->xShmLock(Real(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) {
  Real(file)->pMethods->xShmBarrier(Real(file));
}
int ShmUnmap(sqlite3_file* file, int remove) {
  return Real(file)->pMethods->xShmUnmap(Real(file), remove);
}

// Version 2: no memory maps, which would go past the shim.
const sqlite3_io_methods kMethods = {2,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     Characteristics,
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

int Open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
  const std::shared_ptr<DiskState> disk = TheDisks().Of(name);
  if (!disk) return Base(vfs)->xOpen(Base(vfs), name, file, flags, out_flags);  // not ours: as if not shimmed
  auto* const fault = new (file) FaultFile{};
  {
    const std::lock_guard lock(disk->mutex);
    if (disk->Fails()) return SQLITE_CANTOPEN;
    disk->ImageOf(name);
  }
  fault->real = reinterpret_cast<sqlite3_file*>(fault + 1);
  const int result = Base(vfs)->xOpen(Base(vfs), name, fault->real, flags, out_flags);
  if (result != SQLITE_OK) return result;
  fault->disk = new std::shared_ptr<DiskState>(disk);
  fault->path = new std::string(name);
  fault->base.pMethods = &kMethods;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  const std::shared_ptr<DiskState> disk = TheDisks().Of(name);
  if (disk) {
    const std::lock_guard lock(disk->mutex);
    if (disk->Fails()) return SQLITE_IOERR_DELETE;
    disk->images.erase(name);
  }
  return Base(vfs)->xDelete(Base(vfs), name, disk ? 0 : sync_folder);
}

void RegisterOnce() {
  static const bool done = [] {
    sqlite3_vfs* const real = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs shim = *real;
    shim.zName = "cordon-fault-disk";
    shim.pAppData = real;
    shim.szOsFile = static_cast<int>(sizeof(FaultFile)) + real->szOsFile;
    shim.pNext = nullptr;
    shim.xOpen = Open;
    shim.xDelete = Delete;
    shim.xAccess = [](sqlite3_vfs* vfs, const char* name, int flags, int* out) {
      return Base(vfs)->xAccess(Base(vfs), name, flags, out);
    };
    shim.xFullPathname = [](sqlite3_vfs* vfs, const char* name, int size, char* out) {
      return Base(vfs)->xFullPathname(Base(vfs), name, size, out);
    };
    return sqlite3_vfs_register(&shim, 1) == SQLITE_OK;
  }();
  if (!done) throw std::runtime_error("cannot register the fault disk with SQLite");
}

}  // namespace

FaultDisk::FaultDisk(const std::filesystem::path& folder, uint32_t seed) : state_(std::make_shared<State>()) {
  RegisterOnce();
  std::filesystem::create_directories(folder);
  state_->folder = std::filesystem::canonical(folder).string() + "/";
  state_->random.seed(seed);
  const std::lock_guard lock(TheDisks().mutex);
  TheDisks().all.push_back(state_);
}

FaultDisk::~FaultDisk() {
  const std::lock_guard lock(TheDisks().mutex);
  std::erase(TheDisks().all, state_);
}

int64_t FaultDisk::Calls() const {
  const std::lock_guard lock(state_->mutex);
  return state_->calls;
}

void FaultDisk::CutPowerAt(int64_t call) {
  const std::lock_guard lock(state_->mutex);
  state_->power_off_at = state_->calls + call;
}

bool FaultDisk::PowerIsOff() const {
  const std::lock_guard lock(state_->mutex);
  return state_->Off();
}

void FaultDisk::PowerOn() {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [path, image] : state_->images) {
    const std::string left = state_->AfterCut(image);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << left;
    std::filesystem::remove(path + "-shm");
  }
  state_->images.clear();
  state_->power_off_at = 0;
}

void FaultDisk::FailAt(int64_t call, int64_t times) {
  const std::lock_guard lock(state_->mutex);
  state_->fail_from = state_->calls + call;
  state_->fail_to = state_->fail_from + times;
}

void FaultDisk::FailEvery(int64_t calls) {
  const std::lock_guard lock(state_->mutex);
  state_->fail_every = calls;
}

void FaultDisk::SetFull(bool full) {
  const std::lock_guard lock(state_->mutex);
  state_->full = full;
}

}  // namespace cordon::testing
