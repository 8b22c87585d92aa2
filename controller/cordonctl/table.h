#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cordon::ctl {

// Text in aligned columns for people. Cells come from outside: they are shown through Printable().
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}

  // As many cells as the header.
  void Add(std::vector<std::string> cells);
  // A line below the last row, indented, across the columns.
  void AddNote(std::string_view text);

  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // a row with one cell is a note, when the header has more
};

// Columns that `text` takes on a terminal: characters, not bytes.
size_t DisplayWidth(std::string_view text);

// "3m20s ago", "never" for 0.
std::string Ago(int64_t then_unix_nanos, int64_t now_unix_nanos);

// "1 host", "12 hosts".
std::string Count(uint64_t number, std::string_view noun);

}  // namespace cordon::ctl
