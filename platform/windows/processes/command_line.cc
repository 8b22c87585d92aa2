#include "platform/windows/processes/command_line.h"

namespace cordon::platform {
namespace {

bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

// The program's own name ends at the next quotation mark or blank; a backslash is nothing special in it.
std::string TakeProgram(std::string_view* line) {
  std::string word;
  bool quoted = false;
  while (!line->empty() && (quoted || !IsBlank(line->front()))) {
    if (line->front() == '"') {
      quoted = !quoted;
    } else {
      word += line->front();
    }
    line->remove_prefix(1);
  }
  return word;
}

// 2n backslashes and a quotation mark are n backslashes and a mark that opens or closes; 2n + 1 and a mark
// are n backslashes and the mark itself; elsewhere they are what they are.
std::string TakeArgument(std::string_view* line) {
  std::string word;
  bool quoted = false;
  while (!line->empty() && (quoted || !IsBlank(line->front()))) {
    size_t slashes = 0;
    while (slashes < line->size() && (*line)[slashes] == '\\') ++slashes;
    const bool before_mark = slashes < line->size() && (*line)[slashes] == '"';
    word.append(before_mark ? slashes / 2 : slashes, '\\');
    line->remove_prefix(slashes);
    if (before_mark) {
      line->remove_prefix(1);
      if (slashes % 2 == 1) {
        word += '"';
      } else if (quoted && !line->empty() && line->front() == '"') {
        word += '"';  // two in a row inside quotation marks are one
        line->remove_prefix(1);
      } else {
        quoted = !quoted;
      }
    } else if (slashes == 0) {
      word += line->front();
      line->remove_prefix(1);
    }
  }
  return word;
}

}  // namespace

std::vector<std::string> SplitCommandLine(std::string_view line) {
  std::vector<std::string> words;
  if (line.empty()) return words;
  words.push_back(TakeProgram(&line));
  while (true) {
    while (!line.empty() && IsBlank(line.front())) line.remove_prefix(1);
    if (line.empty()) return words;
    words.push_back(TakeArgument(&line));
  }
}

}  // namespace cordon::platform
