#pragma once

// What changed on a volume from a position in its journal up to now. Pure, but for what it asks the volume.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/windows/files/usn_fold.h"
#include "platform/windows/files/usn_volume.h"

namespace cordon::platform {

// Where an agent was in a volume's journal.
struct UsnPosition {
  uint64_t journal = 0;
  int64_t next_usn = 0;
  int64_t unix_nanos = 0;  // when it was there
  friend bool operator==(const UsnPosition&, const UsnPosition&) = default;
};

// A change with its paths as they are now, or, below folders that are gone, as they were last.
struct UsnTold {
  RawFileEvent::Kind kind = RawFileEvent::kCreated;
  bool is_directory = false;
  std::u16string path;
  std::u16string old_path;  // kRenamed; empty when it is not known
  uint64_t file_time = 0;
};

// Reads twice: first for the folders that were deleted, which nobody can be asked for any more, then for what
// changed. Not thread-safe.
class UsnCatchUp {
 public:
  // `volume` must outlive it; `now` is its journal after the live watch began, so that nothing lies between.
  UsnCatchUp(UsnVolume& volume, const UsnPosition& from, const UsnJournal& now);

  bool Finished() const { return pass_ == Pass::kFinished; }

  // One buffer's worth. TEL-1: what it cannot tell is in Lost() when it is finished.
  std::vector<UsnTold> Step();

  // A sentence's end when not all changes were told: "the journal was deleted and made anew". Static text.
  std::string_view Lost() const { return lost_; }
  // How many records of changes had no folder that could be told; 0 when the journal itself failed.
  uint64_t LostChanges() const { return unplaced_; }

 private:
  enum class Pass : uint8_t { kFolders, kChanges, kFinished };
  static constexpr size_t kMostFolders = 50'000;  // gone ones, and as many paths that are kept
  static constexpr int kDeepest = 256;            // folders in one another
  static constexpr int kMostPages = 64;           // to look for a folder that went a moment ago

  std::optional<UsnPage> Read(int64_t* next);
  void NoteGoneFolders();
  std::vector<UsnTold> TellChanges();
  void Lose(std::string_view why);
  void Tell(const UsnChange& change, std::vector<UsnTold>* told);
  std::optional<std::u16string> PathOf(const UsnName& name);
  std::optional<std::u16string> PathOfFolder(const UsnFileId& folder, int depth);
  bool IsGone(const UsnFileId& folder);

  UsnVolume& volume_;
  const UsnPosition from_;
  const int64_t until_;
  int64_t next_;       // of the changes
  int64_t gone_next_;  // of the gone folders: read beyond `until_` when one goes meanwhile
  Pass pass_ = Pass::kFolders;
  std::string_view lost_;
  uint64_t unplaced_ = 0;
  UsnFold fold_;
  std::map<UsnFileId, UsnName> gone_;
  std::map<UsnFileId, std::optional<std::u16string>> paths_;
};

}  // namespace cordon::platform
