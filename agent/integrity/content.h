#pragma once

// What the first bytes of a file tell about its content. Pure; looks at no more than it is given.

#include <string_view>

namespace cordon::agent {

// How much of a file JudgeContent wants to see.
inline constexpr size_t kContentSample = 8 * 1024;

enum class Content {
  kTooShort,  // to tell noise from anything else
  kOrdered,   // text, a document, a program: not noise
  kPacked,    // noise behind a known header of a compressed, media or encrypted-mail format
  kNoise,     // as encrypted data looks
};

// Noise is told by a chi-square test against the uniform distribution of bytes: encrypted data passes it,
// text and documents fail it by far; what is compressed often passes it too, hence the known headers.
Content JudgeContent(std::string_view head);

// The path names a kind of document that people keep, by the last part of its name ("report.docx").
bool IsDocument(std::string_view path);

// The path names a document by its last part, and the content is noise: whatever it was, it is none any more.
// A document whose own format looks like noise (a picture) is known by its header.
inline bool IsSpoiledDocument(std::string_view path, Content content) {
  return content == Content::kNoise && IsDocument(path);
}

}  // namespace cordon::agent
