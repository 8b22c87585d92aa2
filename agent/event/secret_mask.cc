#include "agent/event/secret_mask.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>
#include <utility>

namespace cordon::agent {
namespace {

constexpr int kNesting = 3;  // a command inside a command inside a command

// What of a word is the secret.
enum class Part { kWhole, kAfterColon, kAfterPercent };

// Programs with a short option for a password.
struct ShortOption {
  std::string_view program;
  std::string_view flag;
  bool separate;  // the value may be the next argument ("-p X"), not only attached ("-pX")
  Part part;
};
constexpr std::array kShortOptions = {
    ShortOption{"mysql", "-p", false, Part::kWhole},
    ShortOption{"mysqldump", "-p", false, Part::kWhole},
    ShortOption{"mysqladmin", "-p", false, Part::kWhole},
    ShortOption{"mysqlimport", "-p", false, Part::kWhole},
    ShortOption{"mysqlshow", "-p", false, Part::kWhole},
    ShortOption{"mariadb", "-p", false, Part::kWhole},
    ShortOption{"mariadb-dump", "-p", false, Part::kWhole},
    ShortOption{"mariadb-admin", "-p", false, Part::kWhole},
    ShortOption{"7z", "-p", false, Part::kWhole},
    ShortOption{"7za", "-p", false, Part::kWhole},
    ShortOption{"7zr", "-p", false, Part::kWhole},
    ShortOption{"rar", "-p", false, Part::kWhole},
    ShortOption{"unrar", "-p", false, Part::kWhole},
    ShortOption{"sshpass", "-p", true, Part::kWhole},
    ShortOption{"mongo", "-p", true, Part::kWhole},
    ShortOption{"mongosh", "-p", true, Part::kWhole},
    ShortOption{"mongodump", "-p", true, Part::kWhole},
    ShortOption{"rdesktop", "-p", true, Part::kWhole},
    ShortOption{"redis-cli", "-a", true, Part::kWhole},
    ShortOption{"ldapsearch", "-w", true, Part::kWhole},
    ShortOption{"ldapmodify", "-w", true, Part::kWhole},
    ShortOption{"plink", "-pw", true, Part::kWhole},
    ShortOption{"sqlcmd", "-P", true, Part::kWhole},
    ShortOption{"zip", "-P", true, Part::kWhole},
    ShortOption{"unzip", "-P", true, Part::kWhole},
    ShortOption{"curl", "-u", true, Part::kAfterColon},
    ShortOption{"curl", "--user", true, Part::kAfterColon},
    ShortOption{"wget", "--user", true, Part::kAfterColon},
    ShortOption{"smbclient", "-U", true, Part::kAfterPercent},
    ShortOption{"rpcclient", "-U", true, Part::kAfterPercent},
};

// Keys that show by their form what they are: a beginning and how much must follow.
struct KnownForm {
  std::string_view beginning;
  size_t following;
};
constexpr std::array kKnownForms = {
    KnownForm{"AKIA", 16},  KnownForm{"ASIA", 16},   KnownForm{"ghp_", 30},        KnownForm{"gho_", 30},
    KnownForm{"ghs_", 30},  KnownForm{"glpat-", 16}, KnownForm{"github_pat_", 20}, KnownForm{"xoxb-", 16},
    KnownForm{"xoxp-", 16}, KnownForm{"xoxa-", 16},  KnownForm{"sk-", 20},         KnownForm{"sk_live_", 16},
    KnownForm{"AIza", 30},  KnownForm{"eyJ", 30},
};

bool IsWordCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}
bool IsSeparator(char c) {
  return c == '=' || c == ':';
}
bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

// As std::string_view::find_first_of, which calls memchr for each character of the text: arguments of
// programs come by the thousand in a second.
size_t FindIf(std::string_view text, size_t from, bool (*is)(char)) {
  while (from < text.size() && !is(text[from])) ++from;
  return from < text.size() ? from : std::string_view::npos;
}

bool IsJoint(char c) {
  return c == '-' || c == '_' || c == '.';
}
char Lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::string Normalised(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (!IsJoint(c)) plain += Lower(c);
  }
  return plain;
}

// Normalised(name) == plain, without a string for each word of a command line.
bool IsNormalised(std::string_view name, std::string_view plain) {
  for (const char c : name) {
    if (IsJoint(c)) continue;
    if (plain.empty() || Lower(c) != plain.front()) return false;
    plain.remove_prefix(1);
  }
  return plain.empty();
}

bool IsSecretName(std::string_view name, std::string_view value) {
  if (name.empty() || name.size() > 128) return false;
  const std::string plain = Normalised(name);
  for (const std::string_view harmless :
       {"file", "path", "dir", "folder", "name", "type", "policy", "length", "age"}) {
    if (plain.ends_with(harmless)) return false;
  }
  if (plain == "pwd" || plain == "oldpwd")
    return !value.starts_with('/');  // the shell's variables are folders
  for (const std::string_view exact :
       {"pass", "pw", "passin", "passout", "authorization", "proxyauthorization"}) {
    if (plain == exact) return true;
  }
  for (const std::string_view word : {"password", "passwd", "passphrase", "secret", "token", "apikey",
                                      "accesskey", "privatekey", "credential", "userpwd", "dbpwd"}) {
    if (plain.contains(word)) return true;
  }
  return false;
}

// "--password" or "/password" alone; one letter more or less than two dashes does not matter.
bool IsSecretOption(std::string_view word) {
  const size_t begin = word.find_first_not_of("-/");
  return begin != 0 && begin != std::string_view::npos && begin <= 2 &&
         std::all_of(word.begin() + static_cast<std::ptrdiff_t>(begin), word.end(), IsWordCharacter) &&
         IsSecretName(word.substr(begin), "");
}

void MaskPart(std::string* word, size_t from, Part part) {
  if (part != Part::kWhole) {
    const size_t separator = word->find(part == Part::kAfterColon ? ':' : '%', from);
    if (separator == std::string::npos) return;
    from = separator + 1;
  }
  if (from < word->size()) word->replace(from, std::string::npos, kMasked);
}

// "--password=X", "/password:X", "DB_PASSWORD=X", "Authorization: Bearer X": all of the word after the
// separator.
bool MaskAssignment(std::string* word) {
  const size_t separator = FindIf(*word, 0, IsSeparator);
  if (separator == std::string::npos || separator + 1 == word->size()) return false;
  const size_t begin = std::min(word->find_first_not_of("-/"), separator);
  const std::string_view name = std::string_view(*word).substr(begin, separator - begin);
  size_t value = separator + 1;
  while (value < word->size() && IsBlank((*word)[value])) ++value;
  if (!std::all_of(name.begin(), name.end(), [](char c) { return IsWordCharacter(c) || c == '.'; }))
    return false;
  if (!IsSecretName(name, std::string_view(*word).substr(value))) return false;
  MaskPart(word, value, Part::kWhole);
  return true;
}

// "…?token=X&…", {"password":"X"}.
void MaskInnerAssignments(std::string* word) {
  for (size_t at = 0; (at = FindIf(*word, at, IsSeparator)) != std::string::npos; ++at) {
    size_t end = at;
    while (end > 0 && ((*word)[end - 1] == '"' || (*word)[end - 1] == '\'' || IsBlank((*word)[end - 1])))
      --end;
    size_t begin = end;
    while (begin > 0 && IsWordCharacter((*word)[begin - 1])) --begin;
    const size_t value = std::min(word->find_first_not_of(" \t\"'", at + 1), word->size());
    if (value == word->size()) return;
    const std::string_view text = *word;
    if (!IsSecretName(text.substr(begin, end - begin), text.substr(value))) continue;
    const char before = text[value - 1];
    const bool quoted = before == '"' || before == '\'';
    const size_t stop =
        std::min(quoted ? text.find(before, value) : text.find_first_of(" \t\n&;,\"'}", value), text.size());
    word->replace(value, stop - value, kMasked);
    at = value + sizeof(kMasked) - 2;
  }
}

// "scheme://user:X@host".
void MaskUrls(std::string* word) {
  for (size_t at = 0; (at = word->find("://", at)) != std::string::npos; at += 3) {
    const std::string_view text = *word;
    const size_t authority = at + 3;
    const size_t end = std::min(text.find_first_of("/?# \t\n\"'", authority), text.size());
    const size_t host = text.substr(0, end).rfind('@');
    const size_t colon = text.find(':', authority);
    if (host == std::string_view::npos || host < authority || colon >= host) continue;
    word->replace(colon + 1, host - colon - 1, kMasked);
  }
}

constexpr size_t ShortestOf(const KnownForm& form) {
  return form.beginning.size() + form.following;
}
constexpr size_t kShortestKey = ShortestOf(std::ranges::min(kKnownForms, {}, ShortestOf));

// The end of the key that begins there; `at` when none does.
size_t EndOfKnownForm(std::string_view word, size_t at) {
  for (const KnownForm& form : kKnownForms) {
    if (!word.substr(at).starts_with(form.beginning)) continue;
    size_t end = at + form.beginning.size();
    while (end < word.size() && (IsWordCharacter(word[end]) || word[end] == '.')) ++end;
    if (end - at >= ShortestOf(form)) return end;
  }
  return at;
}

void MaskKnownForms(std::string* word) {
  for (size_t at = 0; at + kShortestKey <= word->size(); ++at) {
    if (at > 0 && IsWordCharacter((*word)[at - 1])) continue;
    if (const size_t end = EndOfKnownForm(*word, at); end > at) word->replace(at, end - at, kMasked);
  }
}

// Words and the blanks between them, in turn, quotes kept together: "a 'b c'" -> {"a", " ", "'b c'"}.
std::vector<std::string> SplitCommand(std::string_view text) {
  std::vector<std::string> pieces;
  std::string piece;
  char quote = 0;
  for (const char c : text) {
    const bool blank = quote == 0 && IsBlank(c);
    if (!piece.empty() && quote == 0 && blank != IsBlank(piece.front()))
      pieces.push_back(std::exchange(piece, {}));
    piece += c;
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    }
  }
  if (!piece.empty()) pieces.push_back(std::move(piece));
  return pieces;
}

void MaskWords(const std::vector<std::string*>& words, int depth);

// `is_command`: the word is a shell's command line, so "PASSWORD=x prog" is an assignment and a program, and
// not a password with blanks in it.
void MaskWord(std::string* word, int depth, bool is_command) {
  if (!is_command && MaskAssignment(word)) return;
  if (depth < kNesting && FindIf(*word, 0, IsBlank) != std::string::npos) {
    std::string_view inner = *word;
    std::string quote;
    if (inner.size() >= 2 && (inner.front() == '"' || inner.front() == '\'') &&
        inner.back() == inner.front()) {
      quote.assign(1, inner.front());
      inner = inner.substr(1, inner.size() - 2);
    }
    std::vector<std::string> pieces = SplitCommand(inner);
    std::vector<std::string*> words;
    for (std::string& piece : pieces) {
      if (!IsBlank(piece.front())) words.push_back(&piece);
    }
    MaskWords(words, depth + 1);
    std::string joined = quote;
    for (const std::string& piece : pieces) joined += piece;
    *word = joined + quote;
  }
  MaskInnerAssignments(word);
  MaskUrls(word);
  MaskKnownForms(word);
}

std::string_view ProgramName(std::string_view word) {
  size_t begin = word.size();  // not find_last_of: see FindIf
  while (begin > 0 && word[begin - 1] != '/' && word[begin - 1] != '\\') --begin;
  word.remove_prefix(begin);
  if (word.ends_with(".exe")) word.remove_suffix(4);
  return word;
}

// What the option at `word` says about itself (attached value: masked here) and about the next word.
std::optional<Part> ShortOptionOf(std::string_view program, std::string* word) {
  if (program.empty() || !word->starts_with('-')) return std::nullopt;
  for (const ShortOption& option : kShortOptions) {
    if (option.program != program || !word->starts_with(option.flag)) continue;
    if (word->size() == option.flag.size()) {
      if (option.separate) return option.part;
      continue;
    }
    if (!option.flag.starts_with("--")) MaskPart(word, option.flag.size(), option.part);
    if (option.flag.starts_with("--") && (*word)[option.flag.size()] == '=') {
      MaskPart(word, option.flag.size() + 1, option.part);
    }
  }
  return std::nullopt;
}

// "-c", "-lc".
bool IsShellOption(std::string_view word) {
  return word.size() >= 2 && word.size() <= 4 && word.front() == '-' && word.back() == 'c';
}

void MaskWords(const std::vector<std::string*>& words, int depth) {
  std::string_view program;
  std::optional<Part> next;
  bool after_shell_option = false;
  for (std::string* word : words) {
    if (next.has_value() && !word->starts_with("--")) {
      MaskPart(word, 0, *std::exchange(next, std::nullopt));
      continue;
    }
    next.reset();
    const std::string_view name = ProgramName(*word);
    for (const ShortOption& option : kShortOptions) {
      if (name == option.program) program = option.program;
    }
    next = ShortOptionOf(program, word);
    if (next.has_value()) continue;
    if (IsSecretOption(*word) || IsNormalised(*word, "bearer")) {
      next = Part::kWhole;
      continue;
    }
    MaskWord(word, depth, after_shell_option);
    after_shell_option = IsShellOption(*word);
  }
}

}  // namespace

void MaskSecrets(std::vector<std::string>* argv) {
  std::vector<std::string*> words;
  words.reserve(argv->size());
  for (std::string& argument : *argv) words.push_back(&argument);
  MaskWords(words, 0);
}

}  // namespace cordon::agent
