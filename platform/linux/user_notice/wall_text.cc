#include "platform/linux/user_notice/wall_text.h"

#include <algorithm>
#include <sstream>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::platform {
namespace {

constexpr size_t kColumns = 76;
constexpr size_t kMaxLines = 40;

// Breaks at blanks; a word longer than a line is cut, never within a character of UTF-8.
std::string Wrapped(std::string_view line) {
  std::string out;
  std::string row;
  std::istringstream words{std::string(line)};
  for (std::string word; words >> word;) {
    if (!row.empty() && row.size() + 1 + word.size() > kColumns) {
      StrAppend(&out, row, "\r\n");
      row.clear();
    }
    if (!row.empty()) row += ' ';
    row += word;
    while (row.size() > kColumns) {
      size_t cut = kColumns;
      while (cut > 0 && (static_cast<unsigned char>(row[cut]) & 0xC0U) == 0x80U) --cut;
      StrAppend(&out, row.substr(0, cut), "\r\n");
      row.erase(0, cut);
    }
  }
  StrAppend(&out, row, "\r\n");
  return out;
}

// Printable lets U+0080 to U+009F pass, which some terminals take for commands.
std::string Harmless(std::string_view text) {
  std::string out = Printable(text);
  for (size_t at = 0; at + 1 < out.size(); ++at) {
    if (out[at] == '\xc2' && static_cast<unsigned char>(out[at + 1]) < 0xA0U) out.replace(at, 2, "?");
  }
  return out;
}

}  // namespace

std::string WallText(const UserNotice& notice) {
  std::string out = StrCat("\r\n\a", Wrapped(Harmless(notice.title)), "\r\n");
  std::istringstream lines(notice.text);
  size_t count = 0;
  for (std::string line; std::getline(lines, line) && count < kMaxLines; ++count)
    out += Wrapped(Harmless(line));
  return out + "\r\n";
}

std::string EscapeMarkup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string PackNotice(const UserNotice& notice) {
  std::string title = notice.title;
  std::replace(title.begin(), title.end(), '\n', ' ');
  return StrCat(title, "\n", notice.text);
}

UserNotice UnpackNotice(std::string_view packed) {
  const size_t end = packed.find('\n');
  if (end == std::string_view::npos) return {.title = std::string(packed), .text = {}};
  return {.title = std::string(packed.substr(0, end)), .text = std::string(packed.substr(end + 1))};
}

}  // namespace cordon::platform
