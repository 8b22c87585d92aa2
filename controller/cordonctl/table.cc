#include "controller/cordonctl/table.h"

#include <algorithm>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::ctl {
namespace {

constexpr std::string_view kBetween = "  ";
constexpr std::string_view kNoteIndent = "    ";

}  // namespace

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = cell.empty() ? "-" : Printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::AddNote(std::string_view text) {
  rows_.push_back({StrCat(kNoteIndent, Printable(text))});
}

std::string Table::Text() const {
  std::vector<size_t> widths(rows_[0].size(), 0);
  for (const auto& row : rows_) {
    if (row.size() != widths.size()) continue;
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      StrAppend(&text, i == 0 ? "" : kBetween, row[i]);
      if (i + 1 < row.size()) text.append(widths[i] - DisplayWidth(row[i]), ' ');
    }
    text.push_back('\n');
  }
  return text;
}

std::string Ago(int64_t then_unix_nanos, int64_t now_unix_nanos) {
  if (then_unix_nanos == 0) return "never";
  return StrCat(FormatDuration(std::max<int64_t>(now_unix_nanos - then_unix_nanos, 0)), " ago");
}

std::string Count(uint64_t number, std::string_view noun) {
  return StrCat(number, " ", noun, number == 1 ? "" : "s");
}

}  // namespace cordon::ctl
