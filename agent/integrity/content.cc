#include "agent/integrity/content.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <string>

namespace cordon::agent {
namespace {

constexpr size_t kLeastBytes = 512;  // two of each value, or the test says nothing
// Of uniform bytes the statistic has mean 255 and standard deviation 22.6: one encrypted file in 100,000 is
// above.
constexpr double kNoiseBelow = 360;

struct Header {
  size_t offset;
  std::string_view bytes;
};

using namespace std::string_view_literals;

// What is noise to the test and is no sign of harm. Container formats of documents stand here, since they are
// compressed.
constexpr std::array kPackedHeaders = {
    Header{0, "PK\x03\x04"sv},
    Header{0, "PK\x05\x06"sv},  // zip: docx, xlsx, odt, jar, epub
    Header{0, "\x1f\x8b"sv},
    Header{0, "BZh"sv},  // gzip, bzip2
    Header{0,
           "\xfd"
           "7zXZ"sv},
    Header{0, "\x28\xb5\x2f\xfd"sv},  // xz, zstd
    Header{0, "7z\xbc\xaf\x27\x1c"sv},
    Header{0, "Rar!"sv},
    Header{0, "\x04\x22\x4d\x18"sv},
    Header{0, "LZIP"sv},
    Header{0, "\xd0\xcf\x11\xe0"sv},  // OLE: old and password-protected Office files
    Header{0, "%PDF"sv},
    Header{0, "\xff\xd8\xff"sv},  // JPEG
    Header{0, "\x89PNG"sv},
    Header{0, "GIF8"sv},
    Header{0, "II*\0"sv},
    Header{0, "MM\0*"sv},  // TIFF and raw pictures
    Header{8, "WEBP"sv},
    Header{4, "ftyp"sv},    // MP4, HEIC
    Header{128, "DICM"sv},  // X-ray pictures
    Header{0, "ID3"sv},
    Header{0, "OggS"sv},
    Header{0, "fLaC"sv},
    Header{0, "RIFF"sv},
    Header{0, "\x1a\x45\xdf\xa3"sv},  // Matroska
    Header{0, "\x30\x26\xb2\x75"sv},
    Header{0, "SQLite format 3"sv},
    Header{0, "wOFF"sv},
    Header{0, "wOF2"sv},
    Header{0, "\x85\x01"sv},
    Header{0, "\x8c\x0d"sv},  // OpenPGP messages
    Header{0, "age-encryption.org"sv},
};

constexpr std::array kDocuments = {
    "docx"sv,  "doc"sv, "xlsx"sv, "xls"sv, "xlsm"sv, "pptx"sv, "ppt"sv, "odt"sv,    "ods"sv,
    "odp"sv,   "rtf"sv, "pdf"sv,  "txt"sv, "csv"sv,  "md"sv,   "xml"sv, "json"sv,   "html"sv,
    "htm"sv,   "eml"sv, "msg"sv,  "pst"sv, "ics"sv,  "vcf"sv,  "jpg"sv, "jpeg"sv,   "png"sv,
    "gif"sv,   "tif"sv, "tiff"sv, "bmp"sv, "heic"sv, "webp"sv, "dcm"sv, "mp3"sv,    "mp4"sv,
    "mov"sv,   "avi"sv, "wav"sv,  "zip"sv, "7z"sv,   "gz"sv,   "db"sv,  "sqlite"sv, "mdb"sv,
    "accdb"sv, "dbf"sv, "mdf"sv,  "sql"sv, "qbw"sv,  "indd"sv, "psd"sv, "dwg"sv,    "epub"sv,
};

bool HasPackedHeader(std::string_view head) {
  return std::ranges::any_of(kPackedHeaders, [&](const Header& header) {
    return head.size() > header.offset && head.substr(header.offset).starts_with(header.bytes);
  });
}

double ChiSquareOfBytes(std::string_view bytes) {
  std::array<uint32_t, 256> counts{};
  for (const char byte : bytes) ++counts[static_cast<unsigned char>(byte)];
  const double expected = static_cast<double>(bytes.size()) / 256;
  double sum = 0;
  for (const uint32_t count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

}  // namespace

Content JudgeContent(std::string_view head) {
  head = head.substr(0, kContentSample);
  if (head.size() < kLeastBytes) return Content::kTooShort;
  if (ChiSquareOfBytes(head) > kNoiseBelow) return Content::kOrdered;
  return HasPackedHeader(head) ? Content::kPacked : Content::kNoise;
}

bool IsDocument(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of("/\\") + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  std::string extension(name.substr(dot + 1));
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return std::ranges::find(kDocuments, extension) != kDocuments.end();
}

}  // namespace cordon::agent
